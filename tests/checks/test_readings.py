"""What a tool call's arguments decode to is judged, whatever they are written like."""

import json
import time

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.text.readings import decoded
from lawspeaker.exchange import Scope, Text, ToolCall
from lawspeaker.finding import Finding
from tests.checks.judged import answer

CALLS: frozenset[Scope] = frozenset({"tool_call"})
STOP = {"deny": r"cloudtrail\s+stop-logging", "reason": "The log stays on."}
KEY = "AKIA" + "Q7X2M9ZKLW4PTE8R"


def judge(kind: str, settings: object, arguments: str) -> list[Finding]:
    return list(KINDS[kind].prepare(settings, "p").examine(answer(ToolCall("run", arguments)), CALLS))


@pytest.mark.parametrize(
    "arguments",
    [
        r'{"command":"aws cloudtrail stop\u002dlogging"}',
        r'{"command":"aws cloudtrail\tstop-logging"}',
        r'{"aws cloudtrail stop\u002dlogging": 1}',
        r'{"command":"aws cloudtrail stop\u002dlogging", "command": "ls"}',
        r'{"a": [{"command":"aws cloudtrail stop\u002dlogging"}]}',
        r'{"arguments":"{\"command\":\"aws cloudtrail stop\\u002dlogging\"}"}',
        '{"command":["aws", "cloudtrail", "stop-logging"]}',
        r'{"n": ' + "1" * 9000 + r', "command":"aws cloudtrail stop\u002dlogging"}',
        r'{"command":"aws cloudtrail stop\u002dlogging",}',
        "{'command':'aws cloudtrail stop\\u002dlogging'}",
        "[" * 100_000 + r'"aws cloudtrail stop\u002dlogging"',
        ' \ufeff"aws cloudtrail stop\\u002dlogging"',
    ],
)
def test_a_pattern_finds_what_is_escaped(arguments: str) -> None:
    (finding,) = judge("pattern", STOP, arguments)
    assert finding.outcome == "violated"
    where = arguments[finding.spans[0].start : finding.spans[0].end]
    assert "cloudtrail" in where
    assert "logging" in where


def test_what_stands_as_it_is_keeps_its_place_and_is_found_once() -> None:
    arguments = '{"command": "aws cloudtrail stop-logging"}'
    (finding,) = judge("pattern", STOP, arguments)
    assert arguments[finding.spans[0].start : finding.spans[0].end] == "cloudtrail stop-logging"
    (finding,) = judge("secrets", {}, json.dumps({"text": KEY}))
    assert finding.spans[0].end - finding.spans[0].start == len(KEY)


@pytest.mark.parametrize(
    "arguments",
    [
        json.dumps({"text": KEY}).replace("AKIA", r"\u0041KIA"),
        r'{"p\u0061ssword": "x9!horse-battery"}',
        '{"password": "x9!h\\u006frse-battery"}',
    ],
)
def test_an_escaped_secret_is_found(arguments: str) -> None:
    assert {finding.outcome for finding in judge("secrets", {}, arguments)} == {"violated"}


def test_the_shape_of_what_is_decoded_counts() -> None:
    denied = {"invisible": "deny", "control": "deny", "max_lines": 3}
    assert [finding.check for finding in judge("shape", denied, r'{"a": "x\u202ey"}')] == ["shape/invisible"]
    assert [finding.check for finding in judge("shape", denied, r'{"a": "x\u001b[0m"}')] == ["shape/control"]
    assert [finding.check for finding in judge("shape", denied, r'{"a": "1\n2\n3\n4"}')] == ["shape/max-lines"]
    assert [finding.outcome for finding in judge("shape", denied, r'{"a": "1\n2\n3"}')] == ["upheld"]


def test_escaped_terraform_is_found() -> None:
    program = 'resource "aws_s3_bucket_acl" "b" {\n  acl = "public-read"\n}\n'
    escaped = "".join(f"\\u{ord(char):04x}" for char in program)
    for arguments in (f'{{"content": "{escaped}"}}', json.dumps({"call": f'{{"content": "{escaped}"}}'})):
        assert "violated" in [finding.outcome for finding in judge("terraform", ["public-storage"], arguments)]


def test_decoding_is_bounded() -> None:
    began = time.process_time()  # what else the machine does is not counted
    for arguments in (
        json.dumps(["a"] * 200_000),
        json.dumps({str(i): str(i) for i in range(100_000)}),
        "\\" * 200_000,
        '"' * 200_000,
        "{" * 200_000,
    ):
        assert any(decoded(arguments))
        assert judge("pattern", STOP, arguments)
        assert judge("secrets", {}, arguments)
    assert time.process_time() - began < 4


WRITTEN = [
    r'{"command": "aws cloudtrail stop\u002dlogging"}',
    r'{"command": "aws cloudtrail\tstop-logging"}',
    r'["say", {"deep": ["aws cloudtrail stop\u002dlogging"]}]',
    r'{"arguments": "{\"command\": \"aws cloudtrail stop\\u002dlogging\"}"}',
    r'{"cut off": "aws cloudtrail stop\u002dlogging',
    "\ufeff" + r'{"a\u0020b": 1, "command": "\ud83d\ude00 aws cloudtrail stop\u002dlogging \ud83d\ude00"}',
    '{"many": [' + r'"\n", ' * 2000 + r'"aws cloudtrail stop\u002dlogging"]}',
]


@pytest.mark.parametrize("text", WRITTEN)
def test_structured_output_is_read_as_what_it_decodes_to(text: str) -> None:
    (finding,) = KINDS["pattern"].prepare(STOP, "p").examine(answer(Text(text)), frozenset({"answer"}))
    assert finding.outcome == "violated"
    cut = text[finding.spans[0].start : finding.spans[0].end]
    assert cut in (r"cloudtrail stop\u002dlogging", r"cloudtrail\tstop-logging", r"cloudtrail stop\\u002dlogging", text)


def test_a_cut_leaves_structured_output_whole() -> None:
    key = r"\u0041KIA" + KEY[4:]
    text = '{"text": "one\\n' + key + '\\ud83d\\ude00", "n": 1}'
    found = KINDS["secrets"].prepare({}, "p").examine(answer(Text(text)), frozenset({"answer"}))
    (span,) = [finding.spans[0] for finding in found]
    assert text[span.start : span.end] == key
    assert json.loads(text[: span.start] + "[]" + text[span.end :]) == {"text": "one\n[]\U0001f600", "n": 1}


def test_terraform_in_structured_output_is_terraform() -> None:
    code = 'resource "aws_s3_bucket_acl" "a" {\n  bucket = "b"\n  acl    = "public-read"\n}\n'
    check = KINDS["terraform"].prepare("public-storage", "p")
    for text in (code, json.dumps({"code": code}), json.dumps([{"files": [{"text": code}]}])):
        assert "violated" in {f.outcome for f in check.examine(answer(Text(text)), frozenset({"answer"}))}


def test_other_forms_in_structured_output_are_read() -> None:
    stack = {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"AccessControl": "PublicRead"}}}}
    patch = "--- a/main.tf\n+++ b/main.tf\n@@ -1,2 +1,2 @@\n" + '-acl = "private"\n+acl = "public-read"\n'
    check = KINDS["terraform"].prepare("public-storage", "p")
    for text in (json.dumps({"yaml": json.dumps(stack)}), json.dumps({"patch": patch})):
        found = check.examine(answer(Text(text)), frozenset({"answer"}))
        assert {f.outcome for f in found} & {"violated", "inconclusive"}


def test_many_escapes_take_time_in_proportion() -> None:
    check = KINDS["pattern"].prepare(STOP, "p")
    took = []
    for size in (20_000, 80_000):
        exchange = answer(Text('["' + r"\n" * size + '"' + r', "\n"' * size + "]"))
        begun = time.process_time()
        check.examine(exchange, frozenset({"answer"}))
        took.append(time.process_time() - begun)
    assert took[1] < 10 * took[0] + 0.2
