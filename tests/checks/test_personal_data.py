"""`personal_data`: each type, what only looks like one, exact places, and that nothing is repeated.

Numbers are made up; their check digits are right or wrong on purpose.
"""

import json

import pytest

from lawspeaker.checks.personal_data import types as personal_types
from lawspeaker.checks.personal_data.kind import TYPES
from lawspeaker.checks.personal_data.national_ids import NATIONAL_IDS
from lawspeaker.checks.registry import KINDS
from lawspeaker.constitution.kinds import SettingsError, Undecided, needs_of
from lawspeaker.exchange import Text, ToolCall
from tests.checks.judged import answer, findings

FOUND = [
    ("card", "pay with 4539 5787 6362 1486 today", "4539 5787 6362 1486"),
    ("card", "amex 3714-496353-98456?", "3714-496353-98456"),
    ("iban", "to DE89 3704 0044 0532 0130 00.", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432", "gb82west12345698765432"),
    ("national-id", "Dana, 412-68-9037 (SSN), Austin", "412-68-9037"),
    ("national-id", "National Insurance number JG 10 27 59 A", "JG 10 27 59 A"),
    ("national-id", "mi DNI es 12345678Z", "12345678Z"),
    ("national-id", "codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("national-id", "CPF 529.982.247-25", "529.982.247-25"),
    ("national-id", "PESEL 44051401359", "44051401359"),
    ("national-id", "BSN 111222333", "111222333"),
    ("national-id", "hetu 131052-308T", "131052-308T"),
    ("national-id", "personnummer 811218-9876", "811218-9876"),
    ("national-id", "AHV 756.9217.0769.85", "756.9217.0769.85"),
    ("national-id", "Steuer-ID 86095742719", "86095742719"),
    ("national-id", "Aadhaar 2341 2341 2346", "2341 2341 2346"),
    ("national-id", "身份证 11010519491231002X", "11010519491231002X"),
    ("national-id", "RUT 12.345.678-5", "12.345.678-5"),
    ("national-id", "NRIC S1234567D", "S1234567D"),
    ("email", "ask dana.whitfield@acme-shop.de now", "dana.whitfield@acme-shop.de"),
    ("phone", "+46 (0)8 928 571 38", "+46 (0)8 928 571 38"),
    ("phone", "(415) 867-5309", "(415) 867-5309"),
    ("phone", "call me at 0490 75 40 81", "0490 75 40 81"),
    ("phone", "Fax: 9498777106", "9498777106"),
    ("phone", "(37) 788-063-Office", "(37) 788-063"),
    ("address", "He lives at 742 Evergreen Terrace, Apt 3.", "742 Evergreen Terrace, Apt 3"),
    ("address", "Wohnhaft Gartenstraße 12", "Gartenstraße 12"),
    ("address", "12 bis rue de Rivoli", "12 bis rue de Rivoli"),
    ("address", "mora na Rua do Arenque 1634", "Rua do Arenque 1634"),
]
WHOLE = [
    (
        "Billing address: Sara Schwarz\n    28245 Puruntie 82 Apt. 595\n   LAPPEENRANTA\n   53100",
        "28245 Puruntie 82",
        "53100",
    ),
    ("He moved to 17224 Thverbraut 66, Gdynia, Poland 52096 last night.", "17224 Thverbraut", "52096"),
    ("Ship to 12 Main Street\nSuite 501\n\nSpringfield, IL 62701\nBy Monday 9 am.", "12 Main", "62701"),
    ("3747 3911 fourth avenue suite 112", "3747 3911", "112"),
    ("at the corner of 159 Eleftheriou Venizelou str and Rennie Union.", "159", "Union"),
]
NOTHING = [
    "4539 5787 6362 1487",  # wrong check digit
    "4242 4242 4242 4242",  # a published test card
    "DE88 3704 0044 0532 0130 00",
    "Order part 412-68-9037 from the catalogue.",
    "ssn 000-12-3456",
    "12345678A",
    "529.982.247-26",
    "user@example.com, git@github.com",
    "call 212-555-0142",
    "10.20.30.40 and 1.2.3.4-5",
    "550e8400-e29b-41d4-a716-446655440000",
    "arn:aws:iam::123456789012:role/ops",
    "2026-11-25T12:47:08Z took 1234567890 ns",
    'cidr_block = "10.0.0.0/16"',
    "the ip address 10 is bound to Port 80",
    "Order 28245 Blue Widget 82 and unit tests 3.",
    "The new address 10.0.0.12 Ethernet 0 is up",
    "Build number 9498777106 failed",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
]


@pytest.mark.parametrize(("type", "text", "value"), FOUND)
def test_found_in_its_place_and_never_shown(type: str, text: str, value: str) -> None:
    (finding,) = findings("personal_data", {"types": [type]}, "first line\n" + text)
    (span,) = finding.spans
    assert (finding.check, finding.outcome, span.line) == (f"personal_data/{type}", "violated", 2)
    assert ("first line\n" + text)[span.start : span.end] == value
    assert value not in finding.reason + finding.evidence


@pytest.mark.parametrize("type", personal_types.KNOWN, ids=lambda type: type.id)
def test_the_examples_on_the_pages(type: personal_types.Type) -> None:
    assert [finding.check for finding in findings("personal_data", {}, type.violating)] == [f"personal_data/{type.id}"]
    assert [finding.outcome for finding in findings("personal_data", {}, type.complying)] == ["upheld"]


@pytest.mark.parametrize(("text", "first", "last"), WHOLE)
def test_an_address_is_found_as_a_whole(text: str, first: str, last: str) -> None:
    (finding,) = findings("personal_data", {"types": ["address"]}, text)
    where = text[finding.spans[0].start : finding.spans[0].end]
    assert where.startswith(first)
    assert where.rstrip(".").endswith(last)


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_it(text: str) -> None:
    assert [finding.outcome for finding in findings("personal_data", {}, text)] == ["upheld"]


def test_other_digits_and_invisible_characters_hide_nothing() -> None:
    text = "card ４５３９\u200b5787\u200b6362\u200b1486!"
    (finding,) = findings("personal_data", {}, text)
    (span,) = finding.spans
    assert text[span.start : span.end] == text[5:-1]
    assert "disguised" in finding.evidence


def test_a_tool_call_is_read_decoded() -> None:
    call = ToolCall("send", json.dumps({"to": "dana@acme.io"}).replace("@", "\\u0040"))
    (finding,) = KINDS["personal_data"].prepare({}, "p").examine(answer(call), frozenset({"tool_call"}))
    assert finding.check == "personal_data/email"


def test_settings() -> None:
    kind = KINDS["personal_data"]
    assert findings("personal_data", {"types": ["card"]}, "dana@acme.io")[0].outcome == "upheld"
    assert findings("personal_data", {"allow": r".*@acme\.io"}, "dana@acme.io")[0].outcome == "upheld"
    for wrong in ({"types": ["name"]}, {"types": ["card", "card"]}, {"allow": "("}, {"type": ["card"]}, []):
        with pytest.raises(SettingsError):
            kind.prepare(wrong, "p")
    assert kind.loosened({}, {"types": ["card"]}) == "drops the type iban, national-id, email, phone, address"
    assert kind.loosened({"types": ["card"]}, {}) is None
    assert "allows more" in str(kind.loosened({}, {"allow": "a@b.cd"}))
    assert needs_of(kind.prepare({}, "p")).extent == "window"
    assert set(kind.schema["properties"]["types"]["items"]["enum"]) == set(TYPES)  # type: ignore[index]


def test_many_countries() -> None:
    assert len({id.country for id in NATIONAL_IDS}) >= 30


STREAMED = [
    "Sara lives at 28245 Puruntie 82 Apt. 595\n   LAPPEENRANTA\n   Finland 53100. Call her on 0490 75 40 81 now.",
    "So: Apt. 675 62314 Mellemvej 32\nAalborg NO 9100, or dana@acme.io.",
    "Ship to 12 Main Street\nSuite 501\n\nSpringfield, IL 62701\nBy Monday 9 am. Fax: 9498777106.",
]


@pytest.mark.parametrize("text", STREAMED)
def test_what_has_left_is_never_part_of_what_is_found_later(text: str) -> None:
    check = KINDS["personal_data"].prepare({}, "p")
    assert isinstance(check, Undecided)
    found = check.examine(answer(Text(text)), frozenset({"answer"}))
    places = [(span.start, span.end) for finding in found for span in finding.spans]
    assert len(places) >= 2
    for cut in range(len(text)):
        left = check.undecided(text[:cut])
        assert not any(start < left < end for start, end in places), cut


def test_a_word_that_is_to_stand_before_does_not_count_behind() -> None:
    assert findings("personal_data", {}, "ID 9498777106, then call")[0].outcome == "upheld"
