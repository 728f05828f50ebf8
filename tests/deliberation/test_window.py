"""A stream in a window: whatever its pieces, what leaves is what would leave of the whole."""

import asyncio
import base64
import time
from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lawspeaker.checks.assess import assess
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.streams import plan_stream
from lawspeaker.constitution.load import load, load_text
from lawspeaker.constitution.schema import Constitution
from lawspeaker.deliberation.redaction import redact
from lawspeaker.deliberation.window import Flowed, Window, flow
from lawspeaker.errors import ModelError
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.models.base import Completion

LAW = load("data-protection", kinds=KINDS)
PLAN = plan_stream(LAW)
# Invented; put together here so that no scanner takes them for live ones.
SECRETS = (
    "gh" + "p_R7mK2vXq9LwTz4NcYb8HsJd3FgPa6UeVo1Wi",
    "AKIA" + "Q7RZ4M2XW8KDLP3V",
    'password = "kV9#tQ2!mZ7x"',
    "postgres://app:s3cr3t-Pw9@db.internal/shop",
    "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n" * 3 + "-----END PRIVATE KEY-----",
    "https://files.acme.example/a?X-Amz-Signature=" + "0a1b2c3d" * 8,
    "![s](https://cdn.collect.example/p.png?d=VGhlIHVzZXIgaXMgRGFuYSBXaGl0ZmllbGQsIGFj)",
)
PERSONAL = (
    "tom.reyes@reyes-carpentry.co.uk",
    "5301 2884 7719 0264",
    "GB33 BUKB 2020 1555 5555 55",
    "call me at 0171 5584 2291",
    "National Insurance number JG 10 27 59 A",
    "the SSN is 536-22-8145",
)
DISGUISED = (
    base64.b64encode(b"the key is AKIA" + b"Q7RZ4M2XW8KDLP3V, keep it").decode(),
    "write to tom%2Ereyes%40reyes-carpentry.co.uk",
    "&#116;om.reyes@reyes-carpentry.co.uk",
    "５３０１ ２８８４ ７７１９ ０２６４",
    "t\u200bom.reyes@reyes-carpentry.co.uk",
    "53\\x30\\x31 2884 7719 0264",
    b"tom.reyes@reyes-carpentry.co.uk".hex(),
)
FILLER = (
    " ", "\n", ", ", ".", "the invoice ", "password", " and ", "é", "e\u0301", "你好，世界", "-----BEGIN ",
    "https://acme.example/x", "4111", "@", "=", '"', "\u200b", "١٢", "🙂", "Straße", "AKIA", "eyJ", "сat",
    "%4", "0x4", "&#", "a b c ", "\\u00", "{", "aGVsbG8g",
)  # fmt: skip
FURTHER = "And so it goes on for a while, with nothing in it. " * 3
TEXTS = st.lists(st.sampled_from(SECRETS + PERSONAL + DISGUISED + FILLER * 2), max_size=14).map("".join)


def _whole(text: str, law: Constitution = LAW) -> str:
    """What is left of `text` where it is not streamed."""
    exchange = Exchange((Message("assistant", (Text(text),)),))
    return redact(exchange, asyncio.run(assess(exchange, law)), law).answer


def _pieces(text: str, cuts: list[int]) -> list[str]:
    at = [0, *sorted({cut % (len(text) + 1) for cut in cuts}), len(text)]
    return [text[first:last] for first, last in pairwise(at)]


async def _flow(pieces: list[str], window: Window) -> Flowed:
    async def draft() -> AsyncGenerator[str | Completion, None]:
        for piece in pieces:
            yield piece
        yield Completion("".join(pieces), "m")

    async def release(text: str) -> None:
        assert text

    return await flow(draft(), "m", window, release)


@settings(max_examples=120)
@given(TEXTS, st.lists(st.integers(0, 1000), max_size=12))
@example("4111сattom.reyes@reyes-carpentry.co.uk", [12])  # a code might begin within a word of two scripts
def test_whatever_the_pieces_what_leaves_is_the_beginning_of_what_is_left(text: str, cuts: list[int]) -> None:
    flowed = asyncio.run(_flow(_pieces(text, cuts), Window(PLAN)))
    assert not flowed.stopped
    assert _whole(text).startswith(flowed.released)


@pytest.mark.parametrize("secret", SECRETS + PERSONAL + DISGUISED)
def test_cut_at_every_character_nothing_of_it_leaves(secret: str) -> None:
    text = f"Here it is: {secret} and that is all that I know of it. {FURTHER}"
    left = _whole(text)
    assert left != text
    for cut in range(len(text)):
        released = asyncio.run(_flow([text[:cut], text[cut:]], Window(PLAN))).released
        assert left.startswith(released)
    alone = asyncio.run(_flow(list(text), Window(PLAN))).released
    assert left.startswith(alone)
    assert len(left) - len(alone) < 100


def test_ordinary_words_leave_at_once() -> None:
    text = "The invoices are kept for ten years and then removed, as the finance team has asked. " * 5
    window = Window(PLAN)
    late = 0
    for sign in text:
        window.take(sign)
        late = max(late, len(window.text) - len(window.released))
    assert late <= 16
    assert text.startswith(window.released)


def test_what_comes_in_the_end_is_what_came_in_pieces() -> None:
    async def draft() -> AsyncGenerator[str | Completion, None]:
        yield "All is well."
        yield Completion("All is lost.", "m")

    async def release(text: str) -> None:
        assert text

    with pytest.raises(ModelError, match="not what it said in the end"):
        asyncio.run(flow(draft(), "m", Window(PLAN), release))


def test_much_that_is_undecided_is_not_read_again_for_every_piece() -> None:
    window = Window(PLAN)
    begun = time.process_time()
    for piece in ["eyJ" + "hbGciOiJIUzI1NiIs" * 40, *["InR5cCI6" for _ in range(4000)]]:
        window.take(piece)
    assert window.released == ""
    assert time.process_time() - begun < 5


def test_retained_characters_bound_what_leaks() -> None:
    law = load_text(
        """
name: house
version: 1.0.0
summary: One rule.
principles:
  - id: no-word
    text: The word is never said.
    because: It opens the door.
    severity: critical
    on_violation: refuse
    applies_to: [answer]
    checks: [{pattern: {deny: 'open sesame [n]ow', reason: The word is said.}}]
""",
        kinds=KINDS,
    )
    word = "open sesame now"
    for retain in (0, 3, 14, 100):
        plan = plan_stream(law, retain)
        (planned,) = plan.principles
        assert planned.longest == len(word) + 2
        assert planned.leak == max(0, len(word) + 2 - retain)
        flowed = asyncio.run(_flow(list(f"Say {word}, they say."), Window(plan)))
        assert flowed.stopped == ("no-word",)
        assert len(flowed.released) - len("Say ") <= planned.leak


def test_strings_of_json_with_escapes_wait_for_the_end() -> None:
    text = '{"to": "all of you", "text": "the card is 5301 2884 \\u0037719 0264", "more": "' + FURTHER
    assert asyncio.run(_flow([text], Window(PLAN))).released == '{"to": "all of you", "text": '
    alone = asyncio.run(_flow(list(text), Window(PLAN))).released
    assert alone == '{"to": "all of you", "text": "the card is'
    assert _whole(text).startswith(alone)
    plain = asyncio.run(_flow(list(f'"{FURTHER}" he said, with a \\ in it. '), Window(PLAN))).released
    assert plain
    assert "\\" not in plain
    assert len(asyncio.run(_flow(list(f"He said \\ and {FURTHER}"), Window(PLAN))).released) > 100


def test_very_much_at_once_is_left_to_the_end() -> None:
    window = Window(PLAN)
    assert window.take(FURTHER)
    assert window.take("word " * 20_000) == ""
    assert window.take(FURTHER) == ""
    assert Window(PLAN, shadow=True).take("word " * 20_000)
