"""What is written in a code or in disguise is found, in its place, and once; what only looks like it is left alone."""

import base64
import codecs
import gzip
import json
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.text.guises import guises
from lawspeaker.checks.text.payloads import decoded
from lawspeaker.checks.text.readings import forms
from lawspeaker.checks.text.sightings import Places
from lawspeaker.exchange import Exchange, Message, Scope, Text, ToolCall
from tests.checks.judged import answer, findings

KEY = "AKIA" + "Q7X2M9ZKLW4PTE8R"
CARD = "4539 5787 6362 1486"
WORD = {"deny": "(?i)swordfish", "reason": "Not that word."}

HIDDEN = [
    ("secrets", {}, KEY, base64.b64encode(f"key={KEY} ".encode()).decode()),
    ("secrets", {}, KEY, "".join(f"%{ord(each):02X}" for each in KEY)),
    ("secrets", {}, KEY, f"{KEY[:9]}\u200b{KEY[9:]}"),
    ("secrets", {}, KEY, KEY.encode().hex()),
    ("personal_data", {"types": ["card"]}, CARD, base64.b64encode(CARD.encode()).decode()),
    ("personal_data", {"types": ["card"]}, CARD, "".join(f"&#x{ord(each):x};" for each in CARD)),
    ("personal_data", {"types": ["email"]}, "dana@acme.io", "dana%40acme.io"),
    ("pattern", WORD, "swordfish", base64.b64encode(base64.b64encode(b"it is swordfish")).decode()),
    ("pattern", {"deny": "ACC-[0-9]{6}", "reason": "No."}, "ACC-123456", base64.b64encode(b"ACC-123456").decode()),
    ("secrets", {}, KEY, base64.b85encode(f"key={KEY} ".encode()).decode()),
    ("secrets", {}, KEY, base64.a85encode(f"key={KEY} ".encode(), adobe=True).decode()),
    ("secrets", {}, KEY, base64.b64encode(zlib.compress(f"key={KEY} ".encode())).decode()),
    ("secrets", {}, KEY, base64.b64encode(gzip.compress(f"key={KEY} ".encode(), mtime=0)).decode()),
    ("secrets", {}, KEY, " ".join(str(ord(each)) for each in KEY)),
    ("personal_data", {"types": ["email"]}, "dana@acme.io", ", ".join(str(ord(each)) for each in "dana@acme.io")),
]


@pytest.mark.parametrize(("kind", "settings", "plain", "hidden"), HIDDEN)
def test_what_is_hidden_is_found_in_its_place_and_once(kind: str, settings: object, plain: str, hidden: str) -> None:
    text = f"first line\nsee {hidden}, please"
    (finding,) = findings(kind, settings, text)
    (span,) = finding.spans
    where = text[span.start : span.end]
    assert (finding.outcome, span.line) == ("violated", 2)
    assert hidden.rstrip("=").startswith(where.rstrip("=")) or where == hidden
    assert "disguised" in finding.evidence
    assert plain not in finding.reason + finding.evidence
    (open_one,) = findings(kind, settings, f"see {plain}, please")
    assert "disguised" not in open_one.evidence


def test_a_name_and_its_encoded_value_stay_together() -> None:
    value = base64.b64encode(b"x9!horse-battery").decode()
    text = f"apiVersion: v1\nkind: Secret\ndata:\n  password: {value}\n"
    places = {text[f.spans[0].start : f.spans[0].end].rstrip("=") for f in findings("secrets", {}, text)}
    assert places == {value.rstrip("=")}


def test_both_the_open_and_the_hidden_one_are_found() -> None:
    hidden = base64.b64encode(b"dana@acme.io").decode()
    text = f"dana@acme.io or {hidden}"
    found = findings("personal_data", {"types": ["email"]}, text)
    assert [text[f.spans[0].start : f.spans[0].end] for f in found] == ["dana@acme.io", hidden]


def test_a_tool_call_is_read_in_disguise_too() -> None:
    arguments = json.dumps({"content": base64.b64encode(f"key={KEY} ".encode()).decode()})
    (finding,) = KINDS["secrets"].prepare({}, "p").examine(answer(ToolCall("put", arguments)), frozenset({"tool_call"}))
    assert finding.outcome == "violated"
    arguments = json.dumps({"to": "dana\u200b@acme.io"}, ensure_ascii=False)
    (finding,) = (
        KINDS["personal_data"].prepare({}, "p").examine(answer(ToolCall("send", arguments)), frozenset({"tool_call"}))
    )
    assert finding.check == "personal_data/email"


GUISED = [
    "sw0rdf1sh",
    "sword**fish",
    "sword-\nfish",
    "s.w.o.r.d.f.i.s.h",
    "s w o r d f i s h",
    "sword<b>fish</b>",
    "swördfish",
    "hsifdrows",
    codecs.encode("swordfish", "rot13"),
    "the fjbeqsvfu, please",
    '"sword" "fish"',
    'f = "sword" +\n    "fish"',
    "say 'sword' . 'fish' now",
    'sw""ordfish',
    "HSI\u2132\u15e1\u1d1aOMS",
    "Some Whales Often Return During Fishing In Summer Here",
    "\n".join(["- Sand", "- Wind", "- Oaks", "- Reed", "- Dust", "- Fern", "- Iron", "- Salt", "- Hail"]),
]
OTHERS = [
    "this word fishes",
    "words fish",
    "a sword, a fish",
    "passwords wordfisher",
    "shiftdrows",
    "5w0rd",
    '["sword", "fish"]',
]


@pytest.mark.parametrize("text", GUISED)
def test_a_word_is_found_in_its_guises(text: str) -> None:
    found = findings("pattern", WORD, text)
    assert {finding.outcome for finding in found} == {"violated"}


@pytest.mark.parametrize("text", OTHERS)
def test_other_words_are_left_alone(text: str) -> None:
    assert [finding.outcome for finding in findings("pattern", WORD, text)] == ["upheld"]


def test_only_words_have_guises_and_case_counts_as_the_author_says() -> None:
    assert guises(r"sword\w+") is None
    assert guises("a(b|c)defgh") is None
    assert guises("short") is None
    found = guises(r"\bproject kestrel\b")
    assert found is not None
    phrase = {"deny": r"\bproject kestrel\b", "reason": "No."}
    for text in ("pr0ject k3strel", "project\nkestrel", "p-r-o-j-e-c-t k-e-s-t-r-e-l"):
        assert findings("pattern", phrase, text)[0].outcome == "violated", text
    house = {"deny": "Github", "reason": "It is GitHub."}
    assert findings("pattern", house, "See GitHub and github.com.")[0].outcome == "upheld"


def test_what_unpacks_to_very_much_is_left() -> None:
    bomb = base64.b64encode(zlib.compress(b"swordfish " * 100_000)).decode()
    text = f"{bomb}\n" * 50
    before = time.process_time()
    found = decoded(text)
    assert time.process_time() - before < 2
    assert found is None or len(found.form.text) <= 2 * len(text) + (1 << 20)


PLAIN = [
    "aws_s3_bucket_public_access_block and getElementByIdentifier",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "sha512-" + base64.b64encode(bytes(range(131, 195))).decode(),
    "550e8400-e29b-41d4-a716-446655440000",
    "2026-11-25 12:47:08 INFO 20261125124708",
    "x = [1, 2, 3]; a - b - c; I am.",
    "100 % of A & B, AT&T, C:\\temp",
    "the Infrastructure of /usr/local/share/Documentation",
    "AKIAIOSFODNN7EXAMPLE",
    "100 120 140, 160 180 200 and 99 98 97 96",
    "10, 20, 30, 40, 50, 60, 70, 80",
    'resource "aws_s3_bucket" "invoices" {\n  tags = {\n    "Name" = "a"\n    "Team" = "b"\n  }\n}',
    'x = ""\ny = "a" if z else "b"; w = ["a", "b"]',
    "It's what's meant, isn't it? 'Tis.",
    "class Documentation(Base): return self._accessible(Configuration.Standardised)",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_text_is_no_code(text: str) -> None:
    assert decoded(text) is None
    assert forms(text) == ()


@given(st.text(max_size=60), st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), st.text(max_size=60))
def test_places_of_any_form_lie_in_the_text(before: str, said: str, after: str) -> None:
    text = before + base64.b64encode(said.encode()).decode() + after
    for form in forms(text):
        for start in range(0, len(form.text), 7):
            first, last = form.span(start, min(len(form.text), start + 5))
            assert 0 <= first <= last <= len(text)


def test_places_hold_what_lies_within_one_of_them() -> None:
    places = Places([(10, 20), (0, 5), (12, 14)])
    assert [places.hold(*each) for each in ((0, 5), (13, 19), (4, 6), (20, 21), (10, 21))] == [True, True, *[False] * 3]
    assert not Places([]).hold(0, 0)


def test_reading_codes_takes_linear_time() -> None:
    many = {
        "lines": ("A1b" * 25 + "\n") * 4_000,
        "pairs": "41 " * 100_000 + "4g",
        "bits": "01010101 " * 40_000 + "0g",
        "paths": "/aB3" * 100_000,
        "escapes": "x%41" * 80_000,
        "base32": "A2" * 200_000 + "a",
        "letters": "a b " * 100_000 + "ab",
        "morse": "... " * 100_000 + "x",
    }
    for name, text in many.items():
        began = time.process_time()
        forms(text)
        assert time.process_time() - began < 4, name


REQUEST: frozenset[Scope] = frozenset({"request"})


@pytest.mark.parametrize(
    "texts",
    [
        [["sword", "fish"]],
        [["swo", "rdf", "ish"]],
        [["the word is sword"], ["fish, is it not?"]],
        [["a " * 2000 + "sword", "fish" + " b" * 2000]],
        [["c3dvcm", "RmaXNo"]],
        [["sword", "", "fish"]],
    ],
)
def test_what_is_divided_over_parts_or_turns_is_found_once(texts: list[list[str]]) -> None:
    exchange = Exchange(tuple(Message("user", tuple(Text(text) for text in parts)) for parts in texts))
    (finding,) = KINDS["pattern"].prepare(WORD, "p").examine(exchange, REQUEST)
    assert (finding.outcome, len(finding.spans)) == ("violated", 3 if len(texts[0]) == 3 and texts[0][1] else 2)
    cut = ["".join(exchange.messages[s.message].parts[s.part].text[s.start : s.end]) for s in finding.spans]
    assert "".join(cut) in {"swordfish", "c3dvcmRmaXNo"}


def test_what_somebody_else_said_between_divides() -> None:
    turns = (Message("user", (Text("sword"),)), Message("assistant", (Text("?"),)), Message("user", (Text("fish"),)))
    assert [f.outcome for f in KINDS["pattern"].prepare(WORD, "p").examine(Exchange(turns), REQUEST)] == ["upheld"]
    files = answer(Text("sword", "a.txt"), Text("fish", "b.txt"))
    found = KINDS["pattern"].prepare(WORD, "p").examine(files, frozenset({"answer"}))
    assert [f.outcome for f in found] == ["upheld"]


def test_a_secret_divided_over_parts_is_cut_from_both() -> None:
    parts = (Text(f"it is {KEY[:9]}"), Text(f"{KEY[9:]} I think"))
    (finding,) = KINDS["secrets"].prepare({}, "p").examine(answer(*parts), frozenset({"answer"}))
    assert [(span.part, span.start, span.end) for span in finding.spans] == [(0, 6, 15), (1, 0, 11)]
    assert KEY not in finding.evidence


def test_the_name_of_a_called_tool_is_read() -> None:
    call = ToolCall("get_swordfish", "{}")
    (finding,) = KINDS["pattern"].prepare(WORD, "p").examine(answer(call), frozenset({"tool_call"}))
    assert finding.outcome == "violated"
