"""What is measured side by side: the upstream itself, this gateway in three settings, and peers that are installed.

A peer is a program of its own environment: `--litellm`, `--nemo` and `--guardrails` name the folders of virtual
environments in which `litellm[proxy]`, `nemoguardrails[server]` and `guardrails-ai[api]` are installed.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PASS = """\
name: pass-through
version: 1.0.0
summary: A law that has nothing to say about what is asked, so that everything but the law is measured.
principles:
  - id: no-codeword-from-tools
    text: No tool gives back the codeword.
    because: It opens the door.
    severity: critical
    on_violation: refuse
    applies_to: [tool_result]
    checks: [{pattern: {deny: [swordfish], reason: The codeword is given back.}}]
"""


_MASTER = "sk-of-this-rig"  # without one it does not start
_START = 600  # seconds; on a quiet machine the slowest takes a tenth


class Running(NamedTuple):
    """A server that answers at `url` to the model `model`; `pid` 0 is the upstream itself. `cold` is the seconds from
    its start until it was ready."""

    url: str
    model: str
    pid: int
    cold: float
    key: str = "any"


Target = Callable[[str, Path], "Iterator[Running]"]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def started(
    command: list[str], folder: Path, ready: str, url: str, model: str, environment: Mapping[str, str] = {}
) -> Iterator[Running]:
    """Run `command` until `ready` answers; what it says goes to `said.txt`."""
    begun = time.perf_counter()
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=said, stderr=subprocess.STDOUT
        )
    try:
        while not _answers(ready):
            if process.poll() is not None or time.perf_counter() - begun > _START:
                raise RuntimeError((folder / "said.txt").read_text(errors="replace")[-600:])
            time.sleep(0.02)
        yield Running(url, model, process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextmanager
def direct(upstream: str, folder: Path) -> Iterator[Running]:
    yield Running(f"{upstream}/chat/completions", "tiny", 0, 0.0)


def ours(*laws: str, options: tuple[str, ...] = ()) -> Target:
    @contextmanager
    def run(upstream: str, folder: Path) -> Iterator[Running]:
        (folder / "pass.yaml").write_text(PASS)
        port = free_port()
        named = [option for law in laws for option in ("--constitution", law)]
        program = str(Path(sys.executable).with_name("lawspeaker"))
        command = [program, "serve", "--port", str(port), "--upstream", f"{upstream}#tiny", *named, *options]
        base = f"http://127.0.0.1:{port}"
        where = {"LAWSPEAKER_HOME": str(folder / "home")}
        with started(command, folder, f"{base}/readyz", f"{base}/v1/chat/completions", "tiny", where) as running:
            yield running

    return run


def litellm(environment: Path, more: str = "", models: str = "") -> Target:
    """`more` is what its configuration has beside its models, of which `models` are further ones."""

    @contextmanager
    def run(upstream: str, folder: Path) -> Iterator[Running]:
        port, root = free_port(), upstream.removesuffix("/v1")
        (folder / "config.yaml").write_text(
            "model_list:\n  - model_name: tiny\n    litellm_params:\n"
            f"      {{model: openai/tiny, api_base: '{upstream}', api_key: any}}\n"
            f"{models.format(root=root)}general_settings: {{master_key: {_MASTER}}}\n{more}"
        )
        command = [str(environment / "bin" / "litellm"), "--config", "config.yaml", "--port", str(port)]
        base = f"http://127.0.0.1:{port}"
        local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
        # where what it passes through unread goes
        local |= dict.fromkeys(("OPENAI_API_BASE", "ANTHROPIC_API_BASE"), root)
        local |= dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "any")
        with started(
            [*command, "--host", "127.0.0.1", "--num_workers", "1", "--telemetry", "False"],
            *(folder, f"{base}/health/liveliness", f"{base}/v1/chat/completions", "tiny", local),
        ) as running:
            yield running._replace(key=_MASTER)

    return run


def nemo(environment: Path, more: str = "") -> Target:
    """`more` is what its configuration has beside its models."""

    @contextmanager
    def run(upstream: str, folder: Path) -> Iterator[Running]:
        port = free_port()
        (folder / "rails" / "tiny").mkdir(parents=True, exist_ok=True)
        (folder / "rails" / "tiny" / "config.yml").write_text(
            "models:\n  - type: main\n    engine: openai\n    model: tiny\n"
            f"    parameters: {{base_url: '{upstream}', api_key: any}}\n{more}"
        )
        program = str(environment / "bin" / "nemoguardrails")
        command = [program, "server", "--config", "rails", "--port", str(port), "--default-config-id", "tiny"]
        base = f"http://127.0.0.1:{port}"
        local = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": upstream}
        with started(
            [*command, "--disable-chat-ui"],
            *(folder, f"{base}/v1/rails/configs", f"{base}/v1/chat/completions", "tiny", local),
        ) as running:
            yield running

    return run


_GUARD = "from guardrails import Guard\n\nguard = Guard(id='tiny', name='tiny')\n"


def guardrails(environment: Path, config: str = _GUARD) -> Target:
    """`config` is its `config.py`, which makes a guard by the name of `tiny`."""

    @contextmanager
    def run(upstream: str, folder: Path) -> Iterator[Running]:
        port = free_port()
        (folder / "config.py").write_text(config)
        program = str(environment / "bin" / "guardrails")
        command = [program, "start", "--config", "config.py", "--port", str(port)]
        base = f"http://127.0.0.1:{port}"
        local = {"OPENAI_API_KEY": "any", "OPENAI_API_BASE": upstream, "OPENAI_BASE_URL": upstream}
        url = f"{base}/guards/tiny/openai/v1/chat/completions"
        with started(command, folder, f"{base}/health-check", url, "openai/tiny", local) as running:
            yield running

    return run
