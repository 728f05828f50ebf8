"""What models differ in: which parameters a server takes, and what the client does when it is told."""

import asyncio
import re
from collections.abc import Mapping, Sequence

import pytest
from aiohttp import web

from lawspeaker.errors import ModelError
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Sampling
from tests.models.served import PROMPT, Answer, says, served

COLD = Sampling(temperature=0.0, seed=7, max_tokens=50)


def _refuses(
    message: str, param: str | None, code: object = "unsupported_parameter", status: int = 400
) -> web.Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return web.json_response({"error": error}, status=status)


def _reasoning(body: Mapping[str, object]) -> web.Response:
    """Answers as OpenAI's reasoning models do."""
    if "max_tokens" in body:
        words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
        return _refuses(f"{words} instead.", "max_tokens")
    if body.get("temperature", 1) != 1:
        words = f"Unsupported value: 'temperature' does not support {body['temperature']} with this model."
        return _refuses(f"{words} Only the default (1) value is supported.", "temperature", "unsupported_value")
    if "logprobs" in body:
        return _refuses("You are not allowed to request logprobs from this model", None, None, 403)
    return says("hi")


def _bodies(address: str, answer: Answer, samplings: Sequence[Sampling]) -> list[dict]:
    """What one model sends for these samplings, one after the other."""
    bodies = []

    def keep(request: web.Request, body: dict) -> object:
        bodies.append(body)
        return answer(request, body)

    async def run() -> None:
        async with served(keep) as base:
            environment = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": base}
            model = open_model(address.replace("BASE", base), environment)
            try:
                for sampling in samplings:
                    assert (await model.complete(PROMPT, sampling)).text == "hi"
            finally:
                await model.close()

    asyncio.run(run())
    return bodies


def _parameters(body: dict) -> dict:
    return {name: value for name, value in body.items() if name not in {"model", "messages"}}


def test_openai_gets_what_its_reasoning_models_take() -> None:
    (body,) = _bodies("openai:gpt-5", lambda r, b: _reasoning(b), [Sampling(max_tokens=50)])
    assert (body["model"], _parameters(body)) == ("gpt-5", {"max_completion_tokens": 50})


def test_a_server_of_ones_own_gets_what_every_server_takes() -> None:
    (body,) = _bodies("BASE#tiny", lambda r, b: says("hi"), [Sampling(max_tokens=50)])
    assert _parameters(body) == {"max_tokens": 50, "temperature": 1.0}  # its own default may be another


def test_what_a_model_does_not_take_is_left_out_and_remembered() -> None:
    bodies = _bodies("openai:gpt-5", lambda r, b: _reasoning(b), [COLD, COLD])
    assert [sorted(_parameters(body)) for body in bodies] == [
        ["max_completion_tokens", "seed", "temperature"],
        ["max_completion_tokens", "seed"],
        ["max_completion_tokens", "seed"],
    ]


def test_a_reasoning_model_behind_another_server() -> None:
    bodies = _bodies("BASE#tiny", lambda r, b: _reasoning(b), [COLD, COLD])
    assert len(bodies) == 4
    assert _parameters(bodies[2]) == _parameters(bodies[3]) == {"max_completion_tokens": 50, "seed": 7}


@pytest.mark.parametrize(
    ("message", "param", "code", "left_out"),
    [
        ("Unrecognized request argument supplied: seed", None, None, "seed"),
        ("`seed` is not supported with this model", None, 400, "seed"),
        ("no", "temperature", "unsupported_value", "temperature"),
        ("invalid temperature: only 1 is allowed for this model", None, None, "temperature"),
    ],
)
def test_the_parameter_is_found_in_what_the_server_says(
    message: str, param: str | None, code: object, left_out: str
) -> None:
    bodies = _bodies("BASE#m", lambda r, b: _refuses(message, param, code) if left_out in b else says("hi"), [COLD])
    assert set(bodies[0]) - set(bodies[1]) == {left_out}


@pytest.mark.parametrize(
    ("message", "param", "code", "status"),
    [
        ("Invalid 'temperature': above the maximum", "temperature", "decimal_above_max_value", 400),
        ("a temperature of 3.0, but the supported range is 0 to 2", None, "INVALID_ARGUMENT", 400),
        ("Unsupported value: 'messages[0].role'", "messages[0].role", "unsupported_value", 400),
        ("temperature is not supported", "temperature", "unsupported_value", 500),
    ],
)
def test_any_other_refusal_stands(message: str, param: str, code: str, status: int) -> None:
    tries = []

    def answer(request: web.Request, body: dict) -> web.Response:
        tries.append(body)
        return _refuses(message, param, code, status)

    with pytest.raises(ModelError, match=re.escape(message)):
        _bodies("BASE#tiny", answer, [COLD])
    assert all(body == tries[0] for body in tries)  # a 5xx is asked for again, and nothing is left out


def test_a_server_that_takes_nothing_is_asked_a_few_times_only() -> None:
    tries = []

    def answer(request: web.Request, body: dict) -> web.Response:
        tries.append(body)
        return _refuses("Unsupported", next(name for name in body if name not in {"model", "messages"}))

    with pytest.raises(ModelError, match="HTTP 400"):
        _bodies("BASE#tiny", answer, [COLD])
    assert len(tries) <= 5
    assert all({"max_tokens", "max_completion_tokens"} & body.keys() for body in tries)  # never without a bound


def test_all_tries_share_one_timeout() -> None:
    async def slow(body: Mapping[str, object]) -> web.Response:
        await asyncio.sleep(0.3)
        return _reasoning(body)

    with pytest.raises(ModelError, match=r"within 0\.5 s"):
        _bodies("openai:gpt-5", lambda r, b: slow(b), [Sampling(temperature=0.0, timeout=0.5)])


@pytest.mark.parametrize("refused", ["logprobs", "top_logprobs"])
def test_a_model_that_tells_no_probabilities_is_asked_once(refused: str) -> None:
    asked = []

    def answer(request: web.Request, body: dict) -> web.Response:
        asked.append(body)
        return _refuses(f"'{refused}' is not supported for this model.", refused, "invalid_parameter_value")

    async def run() -> list[object]:
        async with served(answer) as base:
            model = open_model(f"{base}#tiny", {})
            odds = [await model.choose(PROMPT, ("(A)", "(B)")) for _ in range(2)]
            await model.close()
            return odds

    assert asyncio.run(run()) == [None, None]
    assert len(asked) == 1


def test_choose_of_a_reasoning_model_is_none() -> None:
    async def run() -> object:
        async with served(lambda r, b: _reasoning(b)) as base:
            model = open_model("openai:gpt-5", {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": base})
            odds = await model.choose(PROMPT, ("(A)", "(B)"))
            await model.close()
            return odds

    assert asyncio.run(run()) is None
