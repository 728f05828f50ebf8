"""Whatever a file holds, it becomes a constitution or a `ConstitutionError` of one line."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample_law import KINDS, LAW

from lawspeaker.constitution.fix import fixed
from lawspeaker.constitution.lint import lint
from lawspeaker.constitution.load import load, load_text
from lawspeaker.errors import ConstitutionError

LINES = tuple(LAW.splitlines(keepends=True))
SCRAPS = (
    *(": ", "- ", "  ", "\t", "[", "]", "{", "}", "'", '"', "|", ">", "? ", "#", "\n", "\r", "---\n", "...\n"),
    *("&a ", "*a", "!!map ", "!<", "<<: ", "%YAML 1.1\n", "'a\n\n b': ", "\x85", "\u2028", "\ufeff", "\x00", "\x1b"),
    *("null", "~", "0x1f", "1e9", ".nan", "true", "on", "9" * 5000, "0." + "9" * 5000, "deny", "messages", "parts"),
    *("extends: [law.yaml]\n", "extends: [infrastructure]\n", "\U0001f600", "a" * 500),
)


def check(text: str) -> None:
    try:
        constitution = load_text(text, "law.yaml", kinds=KINDS)
    except ConstitutionError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 400
        assert str(error).startswith("law.yaml:") or "bundled" in str(error)
    else:
        assert constitution.principles
        assert constitution.digest.startswith("sha256:")


@given(st.text())
@example("\r")
@example("a: !<")
@example("\ufeff\ufeff")
def test_any_text(text: str) -> None:
    check(text)


@given(st.text("-:?[]{}&*!|>'\"%@`#~\n\t abc0.,", max_size=60))
@settings(max_examples=400)
def test_text_of_yaml_marks(text: str) -> None:
    check(text)


edits = st.lists(st.tuples(st.integers(0, len(LAW)), st.integers(0, 40), st.sampled_from(SCRAPS)), max_size=3)


@given(edits)
@example([(LAW.index("public]"), 0, "9" * 5000)])  # a kind of check that quotes what it does not know
@settings(max_examples=400)
def test_a_good_file_with_scraps_in_it(edits: list[tuple[int, int, str]]) -> None:
    text = LAW
    for at, length, scrap in edits:
        text = text[:at] + scrap + text[at + length :]
    check(text)


@given(st.lists(st.sampled_from(LINES), max_size=len(LINES)))
@settings(max_examples=200)
def test_the_lines_of_a_good_file_in_any_order(lines: list[str]) -> None:
    check("".join(lines))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["answer", "HEY", "major", "", "words"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["deny", "id", "name", "role", "type", "words"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.integers(0, len(LINES) - 1), values)
@settings(max_examples=400)
def test_any_value_for_any_field(line: int, value: object) -> None:
    """JSON is YAML, but for its way of writing what is no number."""
    key, colon, _ = LINES[line].partition(":")
    text = repr(value).replace("None", "null").replace("True", "true").replace("False", "false")
    check("".join([*LINES[:line], f"{key}{colon} {text}\n", *LINES[line + 1 :]]))


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(data)
    with pytest.raises(ConstitutionError) as caught:
        load(str(path), kinds=KINDS)
    assert len(str(caught.value).splitlines()) == 1


@given(edits)
@settings(max_examples=200)
def test_what_loads_is_linted_and_fixed(edits: list[tuple[int, int, str]]) -> None:
    text = LAW
    for at, length, scrap in edits:
        text = text[:at] + scrap + text[at + length :]
    try:
        messages = lint(load_text(text, "law.yaml", kinds=KINDS))
    except ConstitutionError:
        return
    assert all(len(str(message).splitlines()) == 1 for message in messages)
    fixed(text, messages)
