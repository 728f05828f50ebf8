"""Loading: what a good file becomes, and the one line that a bad one gets."""

import time
from textwrap import dedent

import pytest
import yaml
from sample_law import KINDS, LAW, changed, law

from lawspeaker.constitution import source
from lawspeaker.constitution.load import load_text
from lawspeaker.errors import BoundaryError, ConstitutionError
from lawspeaker.exchange import Exchange, Message, Reasoning, Text, ToolCall, ToolResult

HEAD = "name: house\nversion: 1.0.0\nprinciples:\n"
MINIMAL = HEAD + "  - {id: one, text: Answers must rhyme., severity: SEVERITY}\n"


def error(text: str) -> str:
    with pytest.raises(ConstitutionError) as caught:
        law(text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_field_arrives() -> None:
    (principle,) = law().principles
    assert (principle.id, principle.severity, principle.applies_to) == ("no-shouting", "major", ("answer",))
    assert [(check.kind, check.settings) for check in principle.checks] == [
        ("words", {"deny": ["HEY", "STOP"]}),
        ("rules", ["public"]),
    ]
    loud, quiet = principle.cases
    assert loud.exchange == Exchange((Message("user", (Text("Say hello."),)), Message("assistant", (Text("HEY"),))))
    assert (loud.expect, loud.decision, loud.borderline, quiet.expect) == ("violated", None, False, "upheld")
    assert (str(loud.place), str(principle.place("severity"))) == ("law.yaml:20:9", "law.yaml:8:15")


@pytest.mark.parametrize(
    ("severity", "otherwise", "on_inconclusive"),
    [("critical", "refuse", "escalate"), ("major", "escalate", "escalate"), ("minor", "escalate", "note")],
)
def test_defaults_follow_severity(severity: str, otherwise: str, on_inconclusive: str) -> None:
    (principle,) = law(MINIMAL.replace("SEVERITY", severity)).principles
    assert (principle.otherwise, principle.on_inconclusive) == (otherwise, on_inconclusive)
    assert (principle.on_violation, principle.applies_to) == ("revise", ("answer", "tool_call"))


def test_a_case_may_have_messages_of_every_part() -> None:
    text = dedent("""\
        - name: long
          messages:
            - {role: user, text: Tidy up.}
            - role: assistant
              parts: [{type: reasoning, text: hm}, {type: tool_call, name: rm, text: '{}', id: a}]
            - {role: tool, parts: [{type: tool_result, text: '', id: a}]}
            - {role: assistant, parts: [{type: text, text: done, name: log.txt}]}
          expect: inconclusive
          decision: escalate
          borderline: true
        """)
    block = LAW[: LAW.index("      - name: loud")] + "".join(f"      {line}\n" for line in text.splitlines())
    (case,) = law(block).principles[0].cases
    assert case.exchange.messages == (
        Message("user", (Text("Tidy up."),)),
        Message("assistant", (Reasoning("hm"), ToolCall("rm", "{}", "a"))),
        Message("tool", (ToolResult("", "a"),)),
        Message("assistant", (Text("done", "log.txt"),)),
    )
    assert (case.decision, case.borderline) == ("escalate", True)


def test_file_names_the_answer() -> None:
    text = changed("answer: HEY", "answer: HEY\n        file: main.tf")
    assert law(text).principles[0].cases[0].exchange.messages[1].parts == (Text("HEY", "main.tf"),)


# What is changed in LAW, and the line that follows.
SLIPS = {
    "unknown field": (
        "severity: major",
        "sevrity: major",
        "law.yaml:8:5: unknown field 'sevrity' in a principle; did you mean 'severity'?",
    ),
    "unknown field, nothing near": (
        "summary: The",
        "zzz: The",
        "law.yaml:3:1: unknown field 'zzz' in a constitution; there are name, version, summary, extends, principles",
    ),
    "unknown field of a case": (
        "answer: HEY",
        "anser: HEY",
        "law.yaml:22:9: unknown field 'anser' in a case; did you mean 'answer'?",
    ),
    "missing field": (
        "    severity: major\n",
        "",
        "law.yaml:5:9: principle 'no-shouting' without 'severity'",
    ),
    "missing name": ("name: house\n", "", "law.yaml:1:1: a constitution without 'name'"),
    "no such severity": (
        "severity: major",
        "severity: mayor",
        "law.yaml:8:15: 'mayor' is not one of minor, major, critical; did you mean 'major'?",
    ),
    "no such action": (
        "on_violation: revise",
        "on_violation: fix",
        "law.yaml:9:19: 'fix' is not one of note, redact, revise, escalate, refuse",
    ),
    "no such scope": (
        "[answer]",
        "[answer, tool-call]",
        "law.yaml:12:26: 'tool-call' is not one of request, answer, reasoning, tool_call, tool_result; "
        "did you mean 'tool_call'?",
    ),
    "scope twice": ("[answer]", "[answer, answer]", "law.yaml:12:26: 'answer' is in the list twice"),
    "no scope": (
        "[answer]",
        "[]",
        "law.yaml:12:17: the list is empty; name at least one of request, answer, reasoning, tool_call, tool_result",
    ),
    "text for a list": ("[answer]", "answer", "law.yaml:12:17: expected a list, found text"),
    "list for a text": (
        "text: Answers must not shout.",
        "text: [x]",
        "law.yaml:6:11: expected text, found a list",
    ),
    "nothing for a text": (
        "text: Answers must not shout.",
        "text:",
        "law.yaml:6:10: expected text, found nothing",
    ),
    "empty text": (
        "text: Answers must not shout.",
        "text: ' '",
        "law.yaml:6:11: expected text, found an empty one",
    ),
    "a number for a version": (
        "version: 1.0.0",
        "version: 1.0",
        "law.yaml:2:10: expected text, found the number 1.0; quote it: '1.0'",
    ),
    "no semantic version": (
        "version: 1.0.0",
        "version: '1.0'",
        "law.yaml:2:10: '1.0' is not a semantic version; write one like 1.0.0",
    ),
    "a truth value for a text": (
        "answer: HEY",
        "answer: true",
        "law.yaml:22:17: expected text, found true (a truth value); quote it: 'true'",
    ),
    "a word that YAML 1.1 takes for false": (
        "answer: HEY",
        "answer: no",
        "law.yaml:22:17: YAML readers disagree about what no is; quote it: 'no'",
    ),
    "a date": (
        "answer: HEY",
        "answer: 2026-01-31",
        "law.yaml:22:17: YAML readers disagree about what 2026-01-31 is; quote it: '2026-01-31'",
    ),
    "an octal number": (
        "answer: HEY",
        "answer: 012",
        "law.yaml:22:17: 012 is ambiguous; quote it: '012'",
    ),
    "a truth value as a key": (
        "summary: The",
        "on: The",
        "law.yaml:3:1: YAML readers disagree about what on is; quote it: 'on'",
    ),
    "a bad id": (
        "id: no-shouting",
        "id: No_Shouting",
        "law.yaml:5:9: 'No_Shouting' is not an id; write lower-case words joined by hyphens, as in no-secrets",
    ),
    "two answers to one question": (
        "severity: major",
        "severity: major\n    severity: minor",
        "law.yaml:9:5: 'severity' is here twice; the first is in line 8",
    ),
    "critical and waved through": (
        "severity: major\n    on_violation: revise\n    otherwise: escalate\n    on_inconclusive: escalate",
        "severity: critical\n    on_inconclusive: note",
        "law.yaml:8:15: critical with on_inconclusive: note would release what nobody judged; escalate or refuse",
    ),
    "no such kind": (
        "rules: [public]",
        "rule: [public]",
        "law.yaml:17:9: no check of kind 'rule'; did you mean 'rules'?",
    ),
    "no such kind, nothing near": (
        "rules: [public]",
        "run: 'rm -rf /'",
        "law.yaml:17:9: no check of kind 'run'; there are judge, rules, words",
    ),
    "two kinds in one check": (
        "- rules: [public]",
        "- {rules: [], words: {}}",
        "law.yaml:17:9: a check is one kind and its settings, as in '- secrets: {}'",
    ),
    "a kind without settings": (
        "- rules: [public]",
        "- rules",
        "law.yaml:17:9: expected a check (one kind and its settings), found text",
    ),
    "a wrong setting, deep": ("[HEY, STOP]", "[HEY, 7]", "law.yaml:16:29: words: expected a word"),
    "a wrong setting, missing": (
        "{deny: [HEY, STOP]}",
        "{}",
        "law.yaml:16:16: words: expected a list of words",
    ),
    "a wrong setting, whole": (
        "rules: [public]",
        "rules: public",
        "law.yaml:17:16: rules: expected a list of rules",
    ),
    "case twice": (
        "name: quiet",
        "name: loud",
        "law.yaml:24:15: a second case 'loud'; the first is in line 20",
    ),
    "case without texts": (
        "request: Say hello.\n        answer: HEY\n        ",
        "",
        "law.yaml:20:9: a case without request, answer or messages",
    ),
    "case with both forms": (
        "answer: HEY",
        "messages: []",
        "law.yaml:21:9: a case has messages or request, not both",
    ),
    "file without answer": (
        "answer: HEY",
        "file: a.tf",
        "law.yaml:22:9: file names the answer's file, and there is no answer",
    ),
    "no such outcome": (
        "expect: violated",
        "expect: fail",
        "law.yaml:23:17: 'fail' is not one of upheld, violated, inconclusive, not_applicable",
    ),
    "an anchor": (
        "summary: The",
        "summary: &a The",
        "law.yaml:3:10: an anchor, &a; write the value out where it is needed",
    ),
    "an alias": (
        "summary: The rules of the house.",
        "summary: *a",
        "law.yaml:3:10: an alias, *a; write the value out",
    ),
    "a tag": (
        "summary: The",
        "summary: !!python/name:os.system The",
        "law.yaml:3:10: a tag, tag:yaml.org,2002:python/name:os.system; a constitution is plain data",
    ),
    "a merge": (
        "summary: The rules of the house.",
        "<<: {}",
        "law.yaml:3:1: YAML readers disagree about what << is; quote it: '<<'",
    ),
    "a second document": (
        "summary: The",
        "---\nsummary: The",
        "law.yaml:3:1: a second document; a constitution is one document",
    ),
    "a directive": (
        "name: house",
        "%YAML 1.1\n---\nname: house",
        "law.yaml:1:1: YAML directives are not used here; remove the line",
    ),
    "a tab": (
        "    severity: major",
        "\tseverity: major",
        "law.yaml:8:1: a tab in the indentation; indent with spaces",
    ),
    "a control character": (
        "summary: The",
        "summary: \x07The",
        "law.yaml:3:10: the character U+0007 cannot stand in YAML; write an escape",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_gets_one_line_with_its_place(slip: str) -> None:
    old, new, message = SLIPS[slip]
    assert error(changed(old, new)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "law.yaml: the file is empty; a constitution needs name, version and principles"),
        ("# nothing\n", "law.yaml: the file is empty; a constitution needs name, version and principles"),
        ("- a\n", "law.yaml:1:1: expected a constitution, found a list"),
        ("just words\n", "law.yaml:1:1: expected a constitution, found text"),
        (
            "name: house\nversion: 1.0.0\n",
            "law.yaml:1:1: no principles; a law without any would release everything",
        ),
        (HEAD + "  []\n", "law.yaml:1:1: no principles; a law without any would release everything"),
        ("name: [\n", "law.yaml:2:1: not valid YAML: did not find expected node content"),
        ("name: 'x\n", "law.yaml:2:1: not valid YAML: found unexpected end of stream"),
        ("? [a]\n: b\n", "law.yaml:1:3: a field's name must be text"),
        ("1: b\n", "law.yaml:1:1: a field's name must be text; quote it: '1'"),
        ("a: .inf\n", "law.yaml:1:4: .inf is not a finite number"),
    ],
)
def test_a_file_that_is_no_constitution(text: str, message: str) -> None:
    assert error(text) == message


def test_a_principle_that_stands_twice() -> None:
    text = LAW + LAW[LAW.index("  - id") :]
    assert error(text) == "law.yaml:28:9: a second principle 'no-shouting'; the first is in line 5"


def test_too_deep() -> None:
    assert "nested more than 24 levels deep" in error("name: " + "[" * 200)
    assert "nested more than 24 levels deep" in error("a: " + "{a: " * 250_000)


def test_a_yaml_bomb_is_refused_at_its_first_anchor() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    began = time.process_time()
    assert error("\n".join(lines)) == "law.yaml:1:5: an anchor, &a0; write the value out where it is needed"
    assert time.process_time() - began < 0.2


def test_ten_megabytes_are_refused_at_once() -> None:
    text = LAW + "#" * 10_000_000
    began = time.process_time()
    message = error(text)
    assert message == f"law.yaml: {len(text):,} bytes is too big for a constitution; at most 1,048,576 are read"
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("loader", [source.LOADER, yaml.SafeLoader])
@pytest.mark.parametrize("escape", ["\\ud800", "\\U00110000", "\\xg"])
def test_escapes_that_name_no_character(monkeypatch: pytest.MonkeyPatch, loader: object, escape: str) -> None:
    """PyYAML's own parser, which is used where libyaml is missing, is laxer and must end up as strict."""
    monkeypatch.setattr(source, "LOADER", loader)
    assert error(changed("Answers must not shout.", f'"{escape}"')).startswith("law.yaml")


def test_a_byte_order_mark_is_no_harm() -> None:
    assert law("\ufeff" + LAW).digest == law().digest


def test_a_kind_that_breaks_its_promise_is_named() -> None:
    class Broken:
        name = "broken"
        version = "1"
        schema: dict[str, object] = {}  # noqa: RUF012

        def prepare(self, settings: object, principle: str) -> None:
            raise ZeroDivisionError

        def overrules(self, settings: object) -> bool:
            return False

        def loosened(self, base: object, extended: object) -> None:
            return None

    text = changed("rules: [public]", "broken: {}")
    with pytest.raises(BoundaryError, match="check kind 'broken' failed: ZeroDivisionError"):
        load_text(text, kinds={**KINDS, "broken": Broken()})  # type: ignore[dict-item]
