"""Each gateway with a guard for one word in any case of its letters, in requests and in answers.

A peer has the guard of its own that its documentation names for a word that is not to pass, as strict as it goes:

- LiteLLM: its content filter (`litellm_content_filter`) with the word to be blocked, in the modes before and after the
  call, on by default.
- NeMo Guardrails: its regular expressions (`regex check input` and `regex check output`), case folded; streams leave
  only after the check (`stream_first: false`), and `passthrough`, without which it takes no tools.
- Guardrails AI: its list of banned words (`guardrails-ai-ban-list`, which takes a letter more or less for the word), on
  messages and on the answer, with an exception where it is found.
- Ours: a `pattern` of the word, on all that a principle can apply to.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.gateway import targets
from benchmarks.gateway.targets import Running, Target, free_port, started

WORD, HARMLESS = "swordfish", "porridges"

_LAW = f"""\
name: house
version: 1.0.0
summary: One word that is never said.
principles:
  - id: no-codeword
    text: The codeword is never said.
    because: It opens the door.
    severity: critical
    on_violation: refuse
    applies_to: [request, answer, reasoning, tool_call, tool_result]
    checks: [{{pattern: {{deny: ["(?i){WORD}"], reason: The codeword is said.}}}}]
"""
_FILTER = f"""\
guardrails:
  - guardrail_name: no-codeword
    litellm_params:
      guardrail: litellm_content_filter
      mode: [pre_call, post_call]
      default_on: true
      blocked_words: [{{keyword: {WORD}, action: BLOCK}}]
"""
_CLAUDE = """\
  - model_name: claude
    litellm_params: {{model: anthropic/claude, api_base: '{root}', api_key: any}}
"""
_RAILS = f"""\
passthrough: true
rails:
  config:
    regex_detection:
      input: {{patterns: [{WORD}], case_insensitive: true}}
      output: {{patterns: [{WORD}], case_insensitive: true}}
  input: {{flows: [regex check input]}}
  output:
    flows: [regex check output]
    streaming: {{enabled: true, stream_first: false}}
"""
_GUARD = f"""\
from guardrails import Guard
from guardrails_ai.ban_list import BanList

guard = Guard(id="tiny", name="tiny")
guard.use(BanList(banned_words=["{WORD}"], on_fail="exception"), on="messages")
guard.use(BanList(banned_words=["{WORD}"], on_fail="exception"), on="output")
"""


def litellm(environment: Path) -> Target:
    return targets.litellm(environment, _FILTER, _CLAUDE)


def nemo(environment: Path) -> Target:
    return targets.nemo(environment, _RAILS)


def guardrails(environment: Path) -> Target:
    return targets.guardrails(environment, _GUARD)


def ours(*fields: str) -> Target:
    """With further `fields` of its routes."""

    @contextmanager
    def run(upstream: str, folder: Path) -> Iterator[Running]:
        (folder / "house.yaml").write_text(_LAW)
        models = {"tiny": f"{upstream}#tiny", "claude": "anthropic:claude"}
        routes = [
            f"  - {{{', '.join((f'name: {name}', f'model: {model!r}', 'constitution: house.yaml', *fields))}}}\n"
            for name, model in models.items()
        ]
        (folder / "lawspeaker.yaml").write_text("routes:\n" + "".join(routes))
        port = free_port()
        program = str(Path(sys.executable).with_name("lawspeaker"))
        command = [program, "serve", "--config", "lawspeaker.yaml", "--port", str(port)]
        base = f"http://127.0.0.1:{port}"
        where = {"LAWSPEAKER_HOME": str(folder / "home"), "ANTHROPIC_API_KEY": "any"}
        where["ANTHROPIC_BASE_URL"] = upstream.removesuffix("/v1")
        with started(command, folder, f"{base}/readyz", f"{base}/v1/chat/completions", "tiny", where) as running:
            yield running

    return run
