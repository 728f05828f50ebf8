"""No text makes a check fail or hang."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.exchange import Text, ToolCall
from lawspeaker.finding import Finding
from tests.checks.judged import answer

SCOPES = frozenset({"answer", "tool_call"})
CHECKS = [
    KINDS["terraform"].prepare(list(RULES), "p"),
    KINDS["secrets"].prepare({}, "p"),
    KINDS["pattern"].prepare({"deny": ["a+b", "(x+x+)+y"], "reason": "r", "code": True}, "p"),
    KINDS["shape"].prepare({"max_bytes": 9, "invisible": "deny", "control": "deny", "encoding": "deny"}, "p"),
    KINDS["shape"].prepare({"max_depth": 3, "homoglyphs": "deny", "json_schema": {"items": {"$ref": "#"}}}, "p"),
    KINDS["personal_data"].prepare({}, "p"),
    KINDS["prompt_injection"].prepare({}, "p"),
]
PIECES = [
    'resource "aws_s3_bucket_acl" "b" {\n', "  acl = ", '"public-read"', "\n}\n", "```", "```hcl\n", "locals {\n",
    "${", "}", "<<EOF\n", "EOF\n", "[", "{", "(", "var.x", "local.a", "  a = local.a\n",
    "for_each = ", "dynamic \"ingress\" {\n",
    "content {\n", "jsonencode(", '{"Statement":', "Principal", '"*"', "=", "\n", '"', "\\", "?", ":", "password = ",
    "AKIA", "-----BEGIN PRIVATE KEY-----\n", "postgres://a:b", "@", "\u202e", "\ud800", "ß", "\0", "apiVersion: v1\n",
    'resource "aws_security_group" "g" {\n', 'data "aws_iam_policy_document" "d" {\n', "statement {\n", "0.0.0.0/0",
    "ignore previous ", "instructions ", "system: you ", "aWdub3JlIGFsbCBy", "%41", "&#65;", "\\u0041", ".- ", "a b c ",
    "\u0430", "\uff11", "\u0301", "\U000e0041", "<p style='display:none'>", "4111 ", "DE89 3704 ", "+49 30 ", "a@b.de ",
]  # fmt: skip


def examine(text: str) -> list[Finding]:
    exchange = answer(Text(text), Text(text, "a/main.tf"), ToolCall("write", text))
    return [finding for check in CHECKS for finding in check.examine(exchange, SCOPES)]  # type: ignore[arg-type]


@settings(max_examples=300, deadline=2000)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=60).map("".join))
def test_any_text_gives_findings_with_places_inside_it(text: str) -> None:
    found = examine(text)
    assert found
    for finding in found:
        for span in finding.spans:
            assert 0 <= span.start <= span.end <= len(text)
            assert 1 <= span.line <= span.end_line <= text.count("\n") + 1


HEAD = 'resource "aws_security_group" "a" {\n'
HOSTILE = {
    "brackets": HEAD + "a = " + "[" * 100_000,
    "closed brackets": HEAD + "a = " + "[" * 100_000 + "]" * 100_000 + "\n}\n",
    "blocks": HEAD + "a {\n" * 50_000,
    "interpolations": HEAD + 'a = "' + "${" * 20_000,
    "heredocs": HEAD + "a = <<E\n" * 20_000,
    "headers": HEAD * 10_000,
    "list": HEAD + "a = [" + ",".join(['"x"'] * 10_000) + "]\n}\n",
    "one long line": HEAD + 'a = "' + "x" * 5_000_000 + '"\n}\n',
    "fences": "```\n" * 50_000,
    "comments of a header": "resource /*\n" * 20_000 + "resource " + "/**/" * 50_000,
    "words before a header": 'resource "a" ' * 50_000 + "&#" * 50_000 + "\u200b" * 50_000,
    "spaces": (" " * 5_000 + "x\n") * 50 + "\t \r" * 50_000,
    "blanks in a text": HEAD + '  user_data = "' + "\\n" * 60_000 + '!"\n}\n',
    "one long name": HEAD + ("  a = [for x in " + "a_" * 500 + " : x]\n") * 500 + "}\n",
    "label of a fence": "```" + "a" * 100_000 + "`\n" + "~~~" + "b" * 100_000 + "`",
    "marks of a fence": "~" * 100_000 + "`\n" + "`" * 100_000 + "a`\n" + " >" * 100_000 + "x",
    "keys": ("AKIA" + "A" * 16 + " ") * 20_000,
    "passwords": 'password = "' * 20_000,
    "loops": HEAD
    + "".join(f'dynamic "d{i}" {{\nfor_each = {list("ab" * 50)}\ncontent {{\n' for i in range(4)).replace("'", '"')
    + "}\n" * 9,
    "joins": "".join(
        f'resource "aws_s3_bucket_acl" "a{i}" {{\n  bucket = "b{i}"\n  acl = "public-read"\n}}\n'
        f'resource "aws_s3_bucket_public_access_block" "a{i}" {{\n  bucket = "b{i}"\n}}\n'
        for i in range(1000)
    ),
    "words": "ignore the previous " * 100_000,
    "weak signs": "pretend password in reverse " * 50_000,
    "repetition": "abc " * 200_000 + "abd " * 100_000,
    "undrawn": "<p style='" * 20_000 + "<p display:none>" + "x" * 100_000,
    "unseen": "a\u200b" * 100_000 + "\u202e" * 100_000,
    "lookalikes": "p\u0430ypal" * 50_000 + " p\u0430ypal" * 50_000,
    "marks": "a" + "\u0301" * 200_000 + "\u1100\u1161" * 100_000,
    "digits": "4111 1111 1111 1112 " * 20_000 + "1" * 200_000 + "1-" * 100_000 + "+49" * 50_000,
    "addresses": "12 Main " * 40_000 + "Rua de " * 40_000 + "a@" * 100_000 + "a." * 100_000,
    "codes": "%41" * 100_000 + "&#65;" * 100_000 + "41 " * 100_000 + ".- " * 100_000 + "a " * 100_000 + "01" * 200_000,
    "deep json": 'resource "aws_s3_bucket_policy" "p" {\n  policy = <<E\n' + '{"a":' * 50_000 + "\nE\n}\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_bounded(name: str) -> None:
    began = time.process_time()
    assert examine(HOSTILE[name])
    assert time.process_time() - began < 10  # a second or three; quadratic would be minutes
