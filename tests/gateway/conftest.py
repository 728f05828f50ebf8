"""A gateway before the upstream that a test's module scripts, and the vendors' own clients of it."""

from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.gateway.served import Served
from tests.gateway.upstream import governed


@pytest.fixture(scope="module")
def up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The upstream answers what the module's `answer` says."""
    with governed(tmp_path_factory.mktemp("gateway"), request.module.answer) as served:
        yield served


@pytest.fixture(scope="module")
def oai(up: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{up.base}/v1", api_key="any", timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def claude(up: Served) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=up.base, api_key="any", timeout=20) as client:
        yield client
