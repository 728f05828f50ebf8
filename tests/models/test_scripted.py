"""The scripted model is a product feature: tests and demonstrations speak through it."""

import asyncio
from pathlib import Path

import pytest

from lawspeaker.errors import ModelConfigError, ModelError
from lawspeaker.exchange import Message, Text, ToolCall
from lawspeaker.models.base import Completion, Sampling, Usage
from lawspeaker.models.scripted import Scripted

SCRIPT = """
- {when: colour, reply: red}
- {reply: first}
- {reply: always, again: true}
"""


def _ask(text: str) -> tuple[Message, ...]:
    return (Message("user", (Text(text),)),)


def _open(tmp_path: Path, text: str) -> Scripted:
    path = tmp_path / "script.yaml"
    path.write_text(text)
    return Scripted.open(path)


def test_lines_are_taken_in_order_and_spent(tmp_path: Path) -> None:
    model = _open(tmp_path, SCRIPT)
    prompts = ["hello", "what colour?", "hello", "hello"]
    said = asyncio.run(model.complete_many([_ask(p) for p in prompts], [Sampling()] * 4))
    assert [completion.text for completion in said] == ["first", "red", "always", "always"]


def test_one_failure_does_not_lose_the_batch(tmp_path: Path) -> None:
    model = _open(tmp_path, "- {reply: first}\n- {fail: refused}\n- {reply: last}")
    said = asyncio.run(model.complete_many([_ask("x")] * 4, [Sampling()] * 4))
    assert [c.text if isinstance(c, Completion) else "failed" for c in said] == ["first", "failed", "last", "failed"]
    assert "refused" in str(said[1])
    assert "no line left" in str(said[3])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("- {fail: connection refused}", "connection refused"),
        ("- {reply: ''}", "empty"),
        ("[]", "no line left"),
        ("- {reply: late, wait: 5}", "no answer within 0.05 s"),
    ],
)
def test_failures(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        asyncio.run(_open(tmp_path, script).complete(_ask("x"), Sampling(timeout=0.05)))


def test_odds_are_normalised(tmp_path: Path) -> None:
    model = _open(tmp_path, "- {odds: [3, 1]}\n- {reply: x}\n- {odds: [1]}")
    assert asyncio.run(model.choose(_ask("x"), ("(A)", "(B)"))) == (0.75, 0.25)
    assert asyncio.run(model.choose(_ask("x"), ("(A)", "(B)"))) is None
    with pytest.raises(ModelError, match="1 odds for 2 options"):
        asyncio.run(model.choose(_ask("x"), ("(A)", "(B)")))


@pytest.mark.parametrize("script", ["{", "- {replay: x}", "- 3", "reply: x", "\x00"])
def test_a_file_that_is_no_script(tmp_path: Path, script: str) -> None:
    with pytest.raises(ModelConfigError, match=r"script\.yaml"):
        _open(tmp_path, script)


def test_calls_and_usage(tmp_path: Path) -> None:
    script = "- {reply: two words, calls: [{name: list, text: '{\"a\": 1}', id: c1}]}\n"
    said = asyncio.run(_open(tmp_path, script).complete(_ask("one two three"), Sampling()))
    assert said.tool_calls == (ToolCall("list", '{"a": 1}', "c1"),)
    assert (said.text, said.finish, said.usage) == ("two words", "tool_calls", Usage(3, 4))
