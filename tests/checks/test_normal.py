"""Normalisation keeps every place, and undoes what a reader does not see."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lawspeaker.checks.text.normal import mixed_words, normalised


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("plain ASCII", "plain ASCII"),
        ("ｆｕｌｌ ｗｉｄｔｈ １２", "full width 12"),
        ("𝐢𝐠𝐧𝐨𝐫𝐞 𝓪𝓵𝓵", "ignore all"),
        ("ig\u200bno\u2060re\ufeff", "ignore"),
        ("іgnоrе", "ignore"),  # Cyrillic і, о, е
        ("ﬁle", "file"),
        ("e\u0301te\u0301", "été"),
        ("Привет мир", "Привет мир"),  # a language of its own stays
        ("한국어", "한국어"),
        ("a\U000e0069\U000e0067b", "ab"),
    ],
)
def test_normal_form(text: str, plain: str) -> None:
    assert normalised(text).text == plain


def test_places_lead_back() -> None:
    text = "see ｉｇ\u200bnоre and ﬁn."
    normal = normalised(text)
    for word, original in (("ignore", "ｉｇ\u200bnоre"), ("fi", "ﬁ"), ("and", "and"), ("n.", "n.")):
        at = normal.text.index(word, 4)
        start, end = normal.span(at, at + len(word))
        assert text[start:end] == original


@given(
    st.text(
        st.sampled_from("aＡｉ①ﬁe\u0301\u200b\ufeffіоПд각\u1100\u1161\u11a8ｶﾞ \n\U000e0061") | st.characters(),
        max_size=40,
    )
)
def test_every_place_is_inside_and_in_order(text: str) -> None:
    normal = normalised(text)
    last = 0
    for at in range(len(normal.text)):
        start, end = normal.span(at, at + 1)
        assert last <= start < end <= len(text)
        last = start
    if normal.text:
        assert normal.span(0, len(normal.text))[1] <= len(text)
    if text.isascii():
        assert normal.text == text
    assert unicodedata.is_normalized("NFKC", normal.text) or len(text) > 1


def test_mixed_words() -> None:
    assert mixed_words("pаypal is not Привет") == [(0, 6)]


def test_marks_are_bounded() -> None:
    began = time.process_time()
    normalised("a" + "\u0301\u0323" * 100_000)
    normalised("\u200b" * 300_000 + "é" * 300_000)
    assert time.process_time() - began < 10
