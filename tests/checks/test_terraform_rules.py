"""Every rule explains itself, and its examples are what they say."""

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.kind import TerraformCheck
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.checks.terraform.verdict import Rule
from lawspeaker.constitution.load import load
from tests.checks.judged import outcome


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_its_examples_are_what_they_say(rule: Rule) -> None:
    assert outcome(rule.id, rule.violating) == "violated"
    assert outcome(rule.id, rule.complying) == "upheld"


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_it_says_what_it_asks(rule: Rule) -> None:
    assert rule.doc.endswith(".") and rule.doc[0].isupper()


def test_a_principle_of_the_bundled_law_uses_it() -> None:
    law = load("infrastructure", kinds=KINDS)
    checks = [spec.check for principle in law.principles for spec in principle.checks]
    used = {rule.id for check in checks if isinstance(check, TerraformCheck) for rule in check.rules}
    assert used == set(RULES)


BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "acme-invoices"\n}\n'
ACL = 'resource "aws_s3_bucket_acl" "b" {\n  bucket = aws_s3_bucket.b.id\n  acl = "private"\n}\n'
BLOCK = 'resource "aws_s3_bucket_public_access_block" "b" {\n  bucket = aws_s3_bucket.b.id\n}\n'


def test_an_acl_is_no_access_block() -> None:
    assert outcome("missing-access-block", BUCKET + ACL) == "violated"
    assert outcome("missing-access-block", BUCKET.replace("bucket =", 'acl = "private"\n  bucket =')) == "violated"
    assert outcome("missing-access-block", BUCKET + ACL + BLOCK) == "upheld"


def nifcloud(type: str, body: str) -> str:
    return outcome("weak-transport", f'resource "nifcloud_{type}" "l" {{\n{body}\n}}\n')


def test_load_balancers_of_nifcloud() -> None:
    shared = 'protocol = "HTTP"\nnetwork_interface {\n  network_id = "net-COMMON_GLOBAL"\n}'
    assert nifcloud("elb", shared) == "violated"
    assert nifcloud("elb", shared.replace("HTTP", "HTTPS")) == "upheld"
    assert nifcloud("elb", shared.replace("GLOBAL", "PRIVATE")) == "upheld"
    assert nifcloud("load_balancer", "load_balancer_port = 80") == "violated"
    assert nifcloud("load_balancer", "load_balancer_port = 443") == "upheld"
    policy = 'load_balancer_port = 443\nssl_policy_name = "Standard Ciphers A ver1"'
    assert nifcloud("load_balancer_listener", policy) == "violated"
    assert nifcloud("load_balancer", policy.replace("A ver1", "D ver1")) == "upheld"
