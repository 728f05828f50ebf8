"""CloudFormation, as far as it is read."""

import json
from time import process_time

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.templates import cloudformation
from lawspeaker.exchange import ToolCall
from lawspeaker.finding import Outcome, combine
from tests.checks.judged import answer, findings


def said(rule: str, text: str, name: str = "template.yaml") -> Outcome:
    return combine(finding.outcome for finding in findings("terraform", rule, text, name))


def template(type: str, properties: str) -> str:
    lines = "".join(f"      {line}\n" for line in properties.splitlines())
    return f"AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Thing:\n    Type: {type}\n    Properties:\n{lines}"


EVERYONE = """Bucket: !Ref Other
PolicyDocument:
  Statement:
    - Effect: Allow
      Principal: '*'
      Action: s3:GetObject
      Resource: '*'
"""
INGRESS = "SecurityGroupIngress:\n  - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: %s}"
ROLE = "Policies:\n  - PolicyDocument:\n      Statement:\n        - {Effect: Allow, Action: '%s', Resource: '*'}"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("public-storage", template("AWS::S3::Bucket", "AccessControl: PublicRead")),
        ("public-storage", template("AWS::S3::BucketPolicy", EVERYONE)),
        ("public-database", template("AWS::RDS::DBInstance", "PubliclyAccessible: true")),
        ("open-admin-ingress", template("AWS::EC2::SecurityGroup", INGRESS % "0.0.0.0/0")),
        ("wildcard-action", template("AWS::IAM::Role", ROLE % "*")),
    ],
)
def test_what_a_template_opens_is_violated(rule: str, text: str) -> None:
    assert said(rule, text) == "violated"
    assert said(rule, f"```yaml\n{text}```\n", "") == "violated"
    call = ToolCall("write_file", json.dumps({"path": "t.yaml", "content": text}))
    found = KINDS["terraform"].prepare(rule, "p").examine(answer(call), frozenset({"tool_call"}))
    assert combine(finding.outcome for finding in found) == "violated"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("public-storage", template("AWS::S3::Bucket", "AccessControl: Private")),
        ("public-storage", template("AWS::S3::Bucket", "AccessControl: !Ref Acl")),
        ("public-database", template("AWS::RDS::DBInstance", "PubliclyAccessible: false")),
        ("open-admin-ingress", template("AWS::EC2::SecurityGroup", INGRESS % "10.0.0.0/8")),
        ("wildcard-action", template("AWS::IAM::Role", ROLE % "s3:GetObject")),
        ("public-storage", template("AWS::S3::Bucket", "AccessControl: &a PublicRead\nOther: *a")),
        ("public-storage", "AWSTemplateFormatVersion: {{{"),
    ],
)
def test_a_template_is_never_upheld(rule: str, text: str) -> None:
    assert said(rule, text) == "inconclusive"


def test_a_template_in_json_is_read() -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"AccessControl": "PublicReadWrite"}}
    text = json.dumps({"Resources": {"Thing": bucket}}, indent=1)
    (finding, _) = findings("terraform", "public-storage", text, "t.json")
    (span,) = finding.spans
    assert (finding.outcome, text[span.start : span.end].strip()) == ("violated", '"Thing":')


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "- " * 25_000, "a: {" * 10_000, "a:\n" * 12_000, "x: [" + "a, " * 16_000 + "]"]
)
def test_hostile_templates_take_bounded_time(text: str) -> None:
    begin = process_time()
    cloudformation(text)
    assert process_time() - begin < 10
