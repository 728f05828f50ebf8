"""What holds for every test: no network beyond loopback, no colour, no state outside a temporary folder."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

_GUARD = Path(__file__).parent / "guard"
sys.path.insert(0, str(_GUARD))
import sitecustomize as _guard  # noqa: E402, F401

from tests.conformance import Conformance  # noqa: E402

os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_GUARD), os.environ.get("PYTHONPATH")]))
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "120"
for _name in ("OPENAI_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "LAWSPEAKER_MODEL_KEY", "LAWSPEAKER_HOME"):
    os.environ.pop(_name, None)

# How fast an example runs is a matter for benchmarks/: a busy machine is no failure.
settings.register_profile("lawspeaker", deadline=None)
settings.load_profile("lawspeaker")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-conformance", action="store_true", help="write docs/gateway-clients.md from this run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "client(name, feature): what the test shows of a client of the gateway")
    config.addinivalue_line("markers", "pair: what the test shows of a surface and an upstream of the gateway")
    config.pluginmanager.register(Conformance(config), "conformance")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, so that `.lawspeaker/` is this test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
