"""`privilege-escalation` and `open-trust` at their edges: exceptions, several policies of one holder, unknowns."""

import pytest

from lawspeaker.finding import Outcome
from tests.checks.judged import outcome, reasons

POLICY = 'resource "aws_iam_policy" "p" {\n  policy = jsonencode({ Statement = [%s] })\n}\n'
ALLOW = '{ Effect = "Allow", %s, Resource = "*" }'
DENY = '{ Effect = "Deny", %s, Resource = "*" }'
PASS, CREATE, INVOKE = "iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"


def inline(kind: str, name: str, holder: str, *actions: str, effect: str = "Allow") -> str:
    listed = ", ".join(f'"{action}"' for action in actions)
    return (
        f'resource "aws_iam_{kind}_policy" "{name}" {{\n  {kind} = {holder}\n  policy = jsonencode({{ Statement = '
        f'[{{ Effect = "{effect}", Action = [{listed}], Resource = "*" }}] }})\n}}\n'
    )


def attached(kind: str, name: str, holder: str, *actions: str) -> str:
    listed = ", ".join(f'"{action}"' for action in actions)
    return (
        f'resource "aws_iam_policy" "{name}" {{\n  policy = jsonencode({{ Statement = '
        f'[{{ Effect = "Allow", Action = [{listed}], Resource = "*" }}] }})\n}}\n'
        f'resource "aws_iam_{kind}_policy_attachment" "{name}" {{\n  {kind} = {holder}\n'
        f"  policy_arn = aws_iam_policy.{name}.arn\n}}\n"
    )


ROLE = "aws_iam_role.r.name"
NAMED = 'resource "aws_iam_user" "u" {\n  name = "deployer"\n}\n'

ESCALATION: list[tuple[Outcome, str]] = [
    ("violated", POLICY % ALLOW % 'NotAction = "s3:*"'),
    ("violated", POLICY % ALLOW % 'NotAction = ["organizations:*", "account:*"]'),
    ("upheld", POLICY % ALLOW % 'NotAction = ["iam:*", "sts:*", "lambda:*", "*:Update*", "codebuild:*", "ssm:*", '
     '"sagemaker:*", "ec2-instance-connect:*", "bedrock-agentcore:*", "cloudformation:*", "ec2:*"]'),
    ("violated", POLICY % ALLOW % 'Action = ["iam:Put?serPolicy"]'),
    ("upheld", POLICY % (ALLOW % 'Action = "iam:PutUserPolicy"' + ", " + DENY % 'Action = "iam:Put*"')),
    ("upheld", POLICY % (ALLOW % 'Action = "iam:PutUserPolicy"' + ", " + DENY % 'NotAction = "s3:*"')),
    ("violated", POLICY % (ALLOW % 'Action = "iam:PutUserPolicy"' + ", " + DENY % 'NotAction = "iam:*"')),
    ("upheld", POLICY % DENY % 'Action = "iam:*"'),
    ("inconclusive", POLICY % "var.statement"),
    ("inconclusive", POLICY % ALLOW % "Action = var.actions"),
    ("inconclusive", POLICY.replace("jsonencode({ Statement = [%s] })", "var.policy")),
    ("violated", POLICY % (ALLOW % 'Action = "iam:PutUserPolicy"' + ", var.statement")),
    ("violated", inline("role", "a", ROLE, PASS) + inline("role", "b", ROLE, CREATE, INVOKE)),
    ("violated", inline("role", "a", ROLE, PASS) + attached("role", "b", ROLE, CREATE, INVOKE)),
    ("violated", attached("user", "a", "aws_iam_user.u.name", PASS) + NAMED
     + attached("user", "b", '"deployer"', CREATE, INVOKE)),
    ("upheld", inline("role", "a", ROLE, PASS) + inline("role", "b", "aws_iam_role.other.name", CREATE, INVOKE)),
    ("upheld", inline("role", "a", "var.one", PASS) + inline("role", "b", "var.other", CREATE, INVOKE)),
    ("upheld", inline("role", "a", ROLE, PASS) + inline("group", "b", "aws_iam_group.r.name", CREATE, INVOKE)),
    ("upheld", inline("role", "a", ROLE, PASS) + inline("role", "b", ROLE, CREATE, INVOKE)
     + inline("role", "c", ROLE, PASS, effect="Deny")),
]  # fmt: skip

TRUST = 'resource "aws_iam_role" "r" {\n  assume_role_policy = jsonencode({ Statement = [%s] })\n}\n'
ASSUME = '{ Effect = "Allow", Action = "sts:AssumeRole", Principal = %s%s }'
GITHUB = '{ Federated = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }'
SUBJECT = ', Condition = { StringLike = { "token.actions.githubusercontent.com:sub" = "%s" } }'

OPEN_TRUST: list[tuple[Outcome, str]] = [
    ("violated", TRUST % ASSUME % ('"*"', "")),
    ("violated", TRUST % ASSUME % ('{ AWS = ["arn:aws:iam::111122223333:root", "*"] }', "")),
    ("violated", TRUST % ASSUME % ('"*"', ', Condition = { Bool = { "aws:MultiFactorAuthPresent" = "true" } }')),
    ("violated", TRUST % ASSUME % ('"*"', ', Condition = { StringNotEquals = { "aws:PrincipalOrgID" = "o-1" } }')),
    ("upheld", TRUST % ASSUME % ('"*"', ', Condition = { StringEquals = { "aws:PrincipalOrgID" = "o-1" } }')),
    ("upheld", TRUST % ASSUME % ('{ Service = "ec2.amazonaws.com" }', "")),
    ("upheld", TRUST % (ASSUME % ('"*"', "")).replace("Allow", "Deny")),
    ("violated", TRUST % ASSUME % (GITHUB, "")),
    ("violated", TRUST % ASSUME % (GITHUB, SUBJECT % "*")),
    ("upheld", TRUST % ASSUME % (GITHUB, SUBJECT % "repo:acme/site:*")),
    ("upheld", TRUST % ASSUME % (GITHUB, ", Condition = var.condition")),
    ("inconclusive", TRUST % ASSUME % ("var.principal", "")),
    ("inconclusive", TRUST % ASSUME % ('"*"', ", Condition = var.condition")),
    ("inconclusive", TRUST % "var.statement"),
    ("violated", TRUST % (ASSUME % ("var.principal", "") + ", " + ASSUME % ('"*"', ""))),
]


@pytest.mark.parametrize(("expected", "program"), ESCALATION)
def test_escalation(expected: Outcome, program: str) -> None:
    assert outcome("privilege-escalation", program) == expected, reasons("privilege-escalation", program)


@pytest.mark.parametrize(("expected", "program"), OPEN_TRUST)
def test_trust(expected: Outcome, program: str) -> None:
    assert outcome("open-trust", program) == expected, reasons("open-trust", program)


def test_more_than_is_looked_at_is_undecided() -> None:
    role = 'resource "aws_iam_role" "r" {\n  name = "r"\n}\n'
    harmless = "".join(inline("role", f"p{number}", "aws_iam_role.r.id", f"s3:A{number}") for number in range(60))
    both = inline("role", "a", "aws_iam_role.r.id", PASS) + inline("role", "b", "aws_iam_role.r.id", CREATE, INVOKE)
    assert outcome("privilege-escalation", role + both) == "violated"
    assert outcome("privilege-escalation", role + both + harmless) == "violated"
    assert outcome("privilege-escalation", role + harmless + both) == "inconclusive"
    many = ", ".join(['"s3:*"'] * 501)
    for action, expected in (
        ('"iam:CreatePolicyVersion"', "violated"),
        (f'{many}, "iam:CreatePolicyVersion"', "inconclusive"),
    ):
        assert outcome("privilege-escalation", POLICY % ALLOW % f"Action = [{action}]") == expected
