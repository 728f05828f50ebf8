"""`pattern`, `shape`, and the fences that both checks and Terraform read by."""

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.text.fences import fenced
from lawspeaker.constitution.kinds import SettingsError
from lawspeaker.finding import combine
from tests.checks.judged import findings

RULE = {"deny": [r"(?i)drop\s+table", "rm -rf /"], "reason": "Destructive commands are not ours to give."}


def test_a_pattern_gives_its_sentence_and_the_exact_place() -> None:
    text = "First.\nThen DROP  TABLE users;\n"
    (finding,) = findings("pattern", RULE, text)
    span = finding.spans[0]
    assert (finding.check, finding.outcome, finding.reason) == ("pattern/deny", "violated", RULE["reason"])
    assert (text[span.start : span.end], span.line) == ("DROP  TABLE", 2)
    assert "TABLE" not in finding.evidence


def test_patterns_see_past_characters_outside_ascii_and_broken_ones() -> None:
    text = "größe ✓ \ud800 rm -rf /"
    span = findings("pattern", RULE, text)[0].spans[0]
    assert text[span.start : span.end] == "rm -rf /"


@pytest.mark.parametrize(
    ("text", "name", "outcome"),
    [
        ("rm -rf /", "", "not_applicable"),
        ("rm -rf /", "run.sh", "violated"),
        ("Say:\n```\nrm -rf /\n```", "", "violated"),
        ("Say rm -rf /:\n```\nls\n```", "", "upheld"),
    ],
)
def test_code_only(text: str, name: str, outcome: str) -> None:
    found = findings("pattern", {**RULE, "code": True}, text, name)
    assert combine(finding.outcome for finding in found) == outcome


def test_matches_of_a_pattern_are_bounded() -> None:
    assert len(findings("pattern", RULE, "rm -rf / " * 1000)) == 100


@pytest.mark.parametrize(
    ("kind", "settings", "path", "words"),
    [
        ("pattern", {"deny": "a(", "reason": "r"}, ("deny",), "RE2"),
        ("pattern", {"deny": ["a", r"(a)\1"], "reason": "r"}, ("deny", 1), "RE2"),
        ("pattern", {"deny": ["a", 1], "reason": "r"}, ("deny", 1), "string"),
        ("pattern", {"deny": [], "reason": "r"}, ("deny",), "list"),
        ("pattern", {"deny": "a"}, (), "reason"),
        ("pattern", {"deny": "a", "reason": " "}, ("reason",), "sentence"),
        ("pattern", {"deny": "a", "reason": "r", "code": "yes"}, ("code",), "true or false"),
        ("pattern", {"deny": "a", "reason": "r", "x": 1}, ("x",), "unknown key 'x'"),
        ("pattern", "a", (), "mapping"),
        ("secrets", {"allow": "("}, ("allow",), "RE2"),
        ("shape", {}, (), "at least one"),
        ("shape", {"max_bytes": 0}, ("max_bytes",), "above 0"),
        ("shape", {"max_lines": True}, ("max_lines",), "whole number"),
        ("shape", {"control": "allow"}, ("control",), "'deny'"),
        ("terraform", ["public-storage", "nope"], (1,), "unknown rule 'nope'; known are public-storage"),
        ("terraform", "nope", (), "unknown rule"),
        ("terraform", {"rules": []}, (), "string"),
        ("judge", {"ask": ""}, ("ask",), "sentence"),
        ("judge", {"ask": "Is it?", "when": "often"}, ("when",), "always"),
        ("judge", {}, (), "ask"),
    ],
)
def test_settings_that_cannot_be_used(kind: str, settings: object, path: tuple[str | int, ...], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        KINDS[kind].prepare(settings, "p")
    assert caught.value.path == path


def test_a_bad_pattern_writes_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError):
        KINDS["pattern"].prepare({"deny": "never(seen", "reason": "r"}, "p")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "base", "extended", "words"),
    [
        ("pattern", RULE, {**RULE, "deny": "rm -rf /"}, "drops the pattern"),
        ("pattern", RULE, {**RULE, "code": True}, "code only"),
        ("pattern", RULE, {**RULE, "deny": ["x", *RULE["deny"]]}, None),
        ("secrets", {}, {"allow": "a"}, "allows more"),
        ("secrets", {"allow": ["a", "b"]}, {"allow": "a"}, None),
        ("shape", {"max_bytes": 10}, {"max_bytes": 20}, "raises max_bytes from 10 to 20"),
        ("shape", {"max_bytes": 10, "control": "deny"}, {"max_bytes": 5}, "drops 'control'"),
        ("shape", {"max_bytes": 10}, {"max_bytes": 10, "max_lines": 3}, None),
        ("terraform", ["public-storage"], ["public-database"], "drops the rule public-storage"),
        ("terraform", "public-storage", ["public-storage", "public-database"], None),
        ("judge", {"ask": "a?"}, {"ask": "b?"}, "another question"),
        ("judge", {"ask": "a?", "when": "always"}, {"ask": "a?"}, "only when undecided"),
        ("judge", {"ask": "a?"}, {"ask": "a?", "when": "always"}, None),
    ],
)
def test_loosened(kind: str, base: object, extended: object, words: str | None) -> None:
    said = KINDS[kind].loosened(base, extended)
    assert said is None if words is None else words in (said or "")


@pytest.mark.parametrize(
    ("text", "check", "evidence"),
    [
        ("a\u200bb", "shape/invisible", "U+200B"),
        ("x \u202e y", "shape/invisible", "U+202E"),
        ("hi\U000e0041", "shape/invisible", "U+E0041"),
        ("a\u200db", "shape/invisible", "U+200D"),
        ("a\x1b[31m", "shape/control", "U+001B"),
        ("a\x00", "shape/control", "U+0000"),
        ("a\ud800", "shape/encoding", "U+D800"),
        ("a\ufffd", "shape/encoding", "U+FFFD"),
    ],
)
def test_forbidden_characters(text: str, check: str, evidence: str) -> None:
    found = findings("shape", {"invisible": "deny", "control": "deny", "encoding": "deny"}, text)
    assert [(finding.check, finding.evidence) for finding in found] == [(check, evidence)]


@pytest.mark.parametrize(
    "text", ["", "plain\ttext\r\n", "größe ✓ 日本語", "family: 👨\u200d👩\u200d👧 ok", "\ufeffstart"]
)
def test_ordinary_text_is_upheld(text: str) -> None:
    found = findings("shape", {"invisible": "deny", "control": "deny", "encoding": "deny", "max_lines": 2}, text)
    assert [finding.outcome for finding in found] == ["upheld"]


def test_sizes() -> None:
    assert findings("shape", {"max_bytes": 3}, "öö")[0].reason == "The text has 4 bytes; 3 are allowed."
    assert findings("shape", {"max_lines": 1}, "a\nb")[0].check == "shape/max-lines"
    assert findings("shape", {"max_lines": 2, "max_bytes": 4}, "a\nb\n")[0].outcome == "upheld"


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("", []),
        ("`a`", []),
        ("```py\na\n```\n", [("py", "a\n")]),
        ("````md\n```\na\n```\n````", [("md", "```\na\n```\n")]),
        ("~~~ HCL\na\n~~~", [("hcl", "a\n")]),
        ("  ```\n  a\n  ```", [("", "  a\n")]),
        ("```\na", [("", "a")]),
        ("```", [("", "")]),
        ("```\n```", [("", "")]),
        ("```a{b\n1\n```  \n", [("a", "1\n")]),
        ("~~~ `a`\n1\n~~~", [("`a`", "1\n")]),
        ("```a `b`\n1\n", []),
        ("```a\n1\n``` {x}\n2", [("a", "1\n``` {x}\n2")]),
        ("```a\n1\n```\n\n```b\n2\n```", [("a", "1\n"), ("b", "2\n")]),
    ],
)
def test_fences(text: str, blocks: list[tuple[str, str]]) -> None:
    assert [(block.label, text[block.start : block.end]) for block in fenced(text)] == blocks


def test_depth_and_lookalikes() -> None:
    denied = {"max_depth": 2, "homoglyphs": "deny"}
    assert [f.check for f in findings("shape", denied, '{"a": [{"b": 1}]}')] == ["shape/max-depth"]
    assert findings("shape", denied, '{"a": ["[[[", "}"]}')[0].outcome == "upheld"
    assert findings("shape", denied, "[see] [[[no JSON")[0].check == "shape/max-depth"
    assert findings("shape", denied, "plain [[[text]]]")[0].outcome == "upheld"
    text = "log in at p\u0430ypal"
    (finding,) = findings("shape", denied, text)
    assert (finding.check, text[finding.spans[0].start :]) == ("shape/homoglyphs", "p\u0430ypal")
    assert findings("shape", denied, "Привет, мир")[0].outcome == "upheld"
    assert KINDS["shape"].loosened({"max_depth": 2}, {"max_depth": 3}) == "raises max_depth from 2 to 3"
