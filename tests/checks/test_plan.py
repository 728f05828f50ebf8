"""Plans and states in JSON."""

import json
from typing import Any

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.plan import plan
from lawspeaker.exchange import ToolCall
from lawspeaker.finding import Finding, Outcome, combine
from tests.checks.judged import answer, findings


def change(address: str, after: Any, unknown: Any = None, **more: Any) -> dict[str, Any]:
    type, _, name = address.rpartition(".")
    values = {"actions": ["create"], "before": None, "after": after, "after_unknown": unknown or {}}
    return {
        "address": address,
        "mode": "managed",
        "type": type.rpartition(".")[2],
        "name": name,
        "change": values,
        **more,
    }


def written(*changes: dict[str, Any], **expressions: Any) -> str:
    """A plan with `changes`, whose configuration sets `expressions` by `type__name`."""
    resources = [
        {"mode": "managed", "type": key.partition("__")[0], "name": key.partition("__")[2], "expressions": value}
        for key, value in expressions.items()
    ]
    configuration = {"root_module": {"resources": resources}} if expressions else {}
    whole = {"format_version": "1.2", "resource_changes": list(changes), "configuration": configuration}
    return json.dumps(whole, indent=1)


def judged(rule: str, text: str) -> list[Finding]:
    return list(findings("terraform", rule, text, "plan.json"))


def said(rule: str, text: str) -> Outcome:
    return combine(finding.outcome for finding in judged(rule, text))


BUCKET = change("aws_s3_bucket.b", {"bucket": "acme", "tags": None}, {"id": True, "policy": True, "acl": True})
OPEN = change("aws_s3_bucket_acl.b", {"acl": "public-read"}, {"bucket": True})
BLOCK = change(
    "aws_s3_bucket_public_access_block.b",
    {
        "block_public_acls": True,
        "ignore_public_acls": True,
        "block_public_policy": True,
        "restrict_public_buckets": True,
    },
    {"bucket": True},
)
TO_BUCKET = {"bucket": {"references": ["aws_s3_bucket.b.id", "aws_s3_bucket.b"]}}


def test_a_planned_resource_is_judged_like_a_written_one() -> None:
    text = written(BUCKET, OPEN)
    (finding,) = [one for one in judged("public-storage", text) if one.outcome == "violated"]
    (span,) = finding.spans
    assert text[span.start : span.end] == '"address": "aws_s3_bucket_acl.b"'


def test_what_is_known_after_the_apply_refers_to_what_the_configuration_says() -> None:
    text = written(
        BUCKET, OPEN, BLOCK, aws_s3_bucket__b={}, aws_s3_bucket_acl__b=TO_BUCKET,
        aws_s3_bucket_public_access_block__b=TO_BUCKET,
    )  # fmt: skip
    assert said("public-storage", text) == "upheld"


def test_what_the_provider_fills_in_is_absent() -> None:
    assert said("public-storage", written(BUCKET, aws_s3_bucket__b={"bucket": {"constant_value": "acme"}})) == "upheld"
    assert said("public-storage", written(BUCKET)) == "inconclusive"


def test_a_value_that_only_the_apply_tells_is_inconclusive() -> None:
    text = written(
        change("aws_db_instance.d", {"engine": "postgres"}, {"publicly_accessible": True}),
        aws_db_instance__d={"publicly_accessible": {"references": ["var.open"]}},
    )
    assert said("public-database", text) == "inconclusive"


def test_nested_blocks_are_read() -> None:
    ingress = {"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": []}
    assert said("open-admin-ingress", written(change("aws_security_group.s", {"ingress": [ingress]}))) == "violated"
    closed = {**ingress, "cidr_blocks": ["10.0.0.0/8"]}
    assert said("open-admin-ingress", written(change("aws_security_group.s", {"ingress": [closed]}))) == "upheld"


def test_a_resource_of_a_module_and_one_of_several_have_names_of_their_own() -> None:
    several = [
        change(
            f'module.m["a.b"].aws_s3_bucket_acl.b[{index}]', {"bucket": f"b{index}", "acl": acl}, index=index,
            module_address='module.m["a.b"]', type="aws_s3_bucket_acl", name="b",
        )
        for index, acl in enumerate(("private", "public-read"))
    ]  # fmt: skip
    (finding,) = [one for one in judged("public-storage", written(*several)) if one.outcome == "violated"]
    assert "[1]" in finding.reason


def test_a_resource_that_is_destroyed_is_not_judged() -> None:
    gone = change("aws_s3_bucket_acl.b", None)
    assert said("public-storage", written(gone)) == "not_applicable"


def test_a_state_is_read_too() -> None:
    child = {"resources": [{"address": "module.m.aws_s3_bucket_acl.b", "mode": "managed", "type": "aws_s3_bucket_acl",
                            "name": "b", "values": {"bucket": "b", "acl": "public-read"}}]}  # fmt: skip
    state = {
        "format_version": "1.0",
        "terraform_version": "1.9.0",
        "values": {"root_module": {"child_modules": [child]}},
    }
    assert said("public-storage", json.dumps(state)) == "violated"


def test_a_plan_in_an_answer_and_in_a_tool_call_is_read() -> None:
    text = written(BUCKET, OPEN)
    assert (
        combine(one.outcome for one in findings("terraform", "public-storage", f"```json\n{text}\n```\n")) == "violated"
    )
    exchange = answer(ToolCall("write_file", json.dumps({"path": "plan.json", "content": text})))
    found = KINDS["terraform"].prepare("public-storage", "p").examine(exchange, frozenset({"tool_call"}))
    assert combine(one.outcome for one in found) == "violated"


@pytest.mark.parametrize(
    "text",
    [
        '{"resource_changes": 1}', '{"resource_changes": [1]}', '{"resource_changes": [{"change": {"after": 1}}]}',
        '{"resource_changes": [{"address": "a.b", "type": "a", "name": "b", "change": {"after": {"x": [[1]]}}}]',
        '{"resource_changes": ' + "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_plan_is_inconclusive(text: str) -> None:
    assert plan(text) is None
    assert said("public-storage", text) == "inconclusive"


def test_a_plan_that_is_read_hides_nothing_that_stands_beside_it() -> None:
    fine = f"```json\n{written(change('aws_s3_bucket_acl.a', {'acl': 'private'}))}\n```"
    template = """AWSTemplateFormatVersion: "2010-09-09"
Resources:
  B:
    Type: AWS::S3::Bucket
    Properties:
      AccessControl: PublicRead
"""
    outcomes = [
        combine(finding.outcome for finding in findings("terraform", "public-storage", text))
        for text in (fine, f"{fine}\n\n{template}", f"{template}\n{fine}\n", f"{fine}\n{template}\n{fine}")
    ]
    assert outcomes == ["upheld", "violated", "violated", "violated"]
