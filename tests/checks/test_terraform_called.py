"""Calls of the common modules: what their documented inputs say, both ways and where it is not known."""

import pytest

from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.finding import Outcome
from tests.checks.judged import findings, outcome, reasons


def call(module: str, inputs: str, name: str = "main", version: str = "") -> str:
    pinned = f'  version = "{version}"\n' if version else ""
    return f'module "{name}" {{\n  source = "terraform-aws-modules/{module}"\n{pinned}{inputs}\n}}\n'


BLOCK = "\n".join(f"{name} = %s" for name in ("block_public_acls", "ignore_public_acls", "block_public_policy",
                                              "restrict_public_buckets"))  # fmt: skip
OPEN, CLOSED = BLOCK.replace("%s", "false"), BLOCK.replace("%s", "true")
PUBLIC_POLICY = """policy = jsonencode({
  Statement = [{ Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "*" }]
})
"""
ANY_IP = 'ingress_cidr_blocks = ["0.0.0.0/0"]\n'
STATEMENT = """key_statements = { all = {
  actions    = ["kms:Decrypt"]
  resources  = ["*"]
  principals = [{ type = "AWS", identifiers = ["%s"] }]
} }"""

CASES: list[tuple[Outcome, str, str]] = [
    ("violated", "public-storage", call("s3-bucket/aws", f'acl = "public-read"\n{OPEN}')),
    ("upheld", "public-storage", call("s3-bucket/aws", f'acl = "public-read"\n{CLOSED}')),
    ("upheld", "public-storage", call("s3-bucket/aws", 'acl = "private"')),
    ("upheld", "public-storage", call("s3-bucket/aws", 'bucket = "acme-invoices"')),
    ("inconclusive", "public-storage", call("s3-bucket/aws", 'acl = "public-read"', version="~> 3.7")),
    ("upheld", "public-storage", call("s3-bucket/aws", 'acl = "public-read"', version="5.8.1")),
    ("inconclusive", "public-storage", call("s3-bucket/aws", f"acl = var.acl\n{OPEN}")),
    ("violated", "public-storage",
     call("s3-bucket/aws",
         f'acl = "public-read"\nattach_public_policy = false\n{CLOSED}')),
    ("violated", "public-storage", call("s3-bucket/aws", f"attach_policy = true\n{PUBLIC_POLICY}{OPEN}")),
    ("upheld", "public-storage", call("s3-bucket/aws", f"attach_policy = true\n{PUBLIC_POLICY}{CLOSED}")),
    ("upheld", "public-storage", call("s3-bucket/aws", f"{PUBLIC_POLICY}{OPEN}")),
    ("inconclusive", "public-storage", call("s3-bucket/aws", f"attach_policy = var.a\n{PUBLIC_POLICY}{OPEN}")),
    ("not_applicable", "public-storage", call("s3-bucket/aws", f'create_bucket = false\nacl = "public-read"\n{OPEN}')),
    ("upheld", "missing-access-block", call("s3-bucket/aws", "")),
    ("violated", "missing-access-block", call("s3-bucket/aws", "attach_public_policy = false")),
    ("violated", "unrecoverable", call("s3-bucket/aws", "force_destroy = true")),
    ("violated", "open-admin-ingress",
     call("security-group/aws", f'{ANY_IP}ingress_rules = ["https-443-tcp", "ssh-tcp"]')),
    ("upheld", "open-admin-ingress",
     call("security-group/aws", 'ingress_cidr_blocks = ["10.0.0.0/8"]\ningress_rules = ["ssh-tcp"]')),
    ("not_applicable", "open-admin-ingress", call("security-group/aws", f'{ANY_IP}ingress_rules = ["https-443-tcp"]')),
    ("violated", "open-admin-ingress",
     call("security-group/aws",
         'ingress_ipv6_cidr_blocks = ["::/0"]\ningress_rules = ["all-all"]')),
    ("inconclusive", "open-admin-ingress", call("security-group/aws", f"{ANY_IP}ingress_rules = var.rules")),
    ("inconclusive", "open-admin-ingress",
     call("security-group/aws", 'ingress_cidr_blocks = var.r\ningress_rules = ["rdp-tcp"]')),
    ("inconclusive", "open-admin-ingress", call("security-group/aws", f'{ANY_IP}ingress_rules = ["teapot-tcp"]')),
    ("violated", "open-admin-ingress",
     call("security-group/aws",
         'ingress_with_cidr_blocks = [{ from_port = 5432, to_port = 5432, protocol = "tcp", '
         'cidr_blocks = "10.0.0.0/8, 0.0.0.0/0" }]')),
    ("upheld", "open-admin-ingress",
     call("security-group/aws",
         'ingress_with_cidr_blocks = [{ from_port = 5432, to_port = 5432, protocol = "tcp", '
         'cidr_blocks = "10.0.0.0/8" }]')),
    ("violated", "open-admin-ingress",
     call("security-group/aws",
         f'{ANY_IP}ingress_with_cidr_blocks = [{{ rule = "postgresql-tcp" }}]')),
    ("upheld", "open-admin-ingress",
     call("security-group/aws",
         f'{ANY_IP}ingress_with_cidr_blocks = [{{ rule = "https-443-tcp" }}]')),
    ("inconclusive", "open-admin-ingress", call("security-group/aws", "ingress_with_cidr_blocks = var.rules")),
    ("violated", "open-admin-ingress", call("security-group/aws//modules/ssh", ANY_IP)),
    ("not_applicable", "open-admin-ingress", call("security-group/aws//modules/https-443", ANY_IP)),
    ("violated", "open-admin-ingress",
     call("vpc/aws",
         'default_security_group_ingress = [{ from_port = 0, to_port = 0, protocol = "-1", '
         'cidr_blocks = "0.0.0.0/0" }]')),
    ("upheld", "open-admin-ingress", call("vpc/aws", "default_security_group_ingress = [{ self = true }]")),
    ("not_applicable", "open-admin-ingress", call("vpc/aws", 'cidr = "10.0.0.0/16"')),
    ("violated", "open-admin-ingress",
     call("vpc/aws",
         'database_dedicated_network_acl = true\ndatabase_inbound_acl_rules = [{ rule_action = "allow", '
         'from_port = 5432, to_port = 5432, protocol = "tcp", cidr_block = "0.0.0.0/0" }]')),
    ("not_applicable", "open-admin-ingress",
     call("vpc/aws",
         'database_inbound_acl_rules = [{ rule_action = "allow", from_port = 5432, to_port = 5432, '
         'protocol = "tcp", cidr_block = "0.0.0.0/0" }]')),
    ("violated", "public-database", call("rds/aws", "publicly_accessible = true")),
    ("upheld", "public-database", call("rds/aws", 'engine = "postgres"')),
    ("inconclusive", "public-database", call("rds/aws", "publicly_accessible = var.public")),
    ("violated", "unencrypted-at-rest", call("rds/aws", "storage_encrypted = false")),
    ("upheld", "unencrypted-at-rest", call("rds/aws", 'engine = "postgres"')),
    ("violated", "unrecoverable", call("rds/aws", "skip_final_snapshot = true")),
    ("violated", "public-database", call("rds-aurora/aws", "instances = { one = { publicly_accessible = true } }")),
    ("upheld", "public-database", call("rds-aurora/aws", "instances = { one = {} }")),
    ("violated", "unencrypted-at-rest", call("rds-aurora/aws", "storage_encrypted = false")),
    ("violated", "public-endpoint", call("eks/aws", "cluster_endpoint_public_access = true", version="~> 20.0")),
    ("violated", "public-endpoint", call("eks/aws", "endpoint_public_access = true", version="~> 21.0")),
    ("upheld", "public-endpoint",
     call("eks/aws",
         'endpoint_public_access = true\nendpoint_public_access_cidrs = ["192.0.2.0/24"]')),
    ("upheld", "public-endpoint", call("eks/aws", 'cluster_name = "main"', version="~> 20.0")),
    ("violated", "public-endpoint", call("eks/aws", 'cluster_name = "main"', version="18.31.2")),
    ("upheld", "public-endpoint", call("eks/aws", 'cluster_name = "main"', version=">= 18.0")),
    ("inconclusive", "public-endpoint", call("eks/aws", 'cluster_name = "main"', version=">= 17.0, < 20.0")),
    ("violated", "open-admin-ingress",
     call("eks/aws",
         'node_security_group_additional_rules = { ssh = { type = "ingress", from_port = 22, '
         'to_port = 22, protocol = "tcp", cidr_blocks = ["0.0.0.0/0"] } }')),
    ("not_applicable", "open-admin-ingress",
     call("eks/aws",
         'node_security_group_additional_rules = { out = { type = "egress", from_port = 22, to_port = 22, '
         'protocol = "tcp", cidr_blocks = ["0.0.0.0/0"] } }')),
    ("violated", "open-trust", call("kms/aws", STATEMENT % "*")),
    ("upheld", "open-trust", call("kms/aws", STATEMENT % "arn:aws:iam::111122223333:role/app")),
    ("violated", "open-trust", call("kms/aws", 'key_users = ["*"]')),
    ("upheld", "open-trust", call("kms/aws", 'key_users = ["arn:aws:iam::111122223333:role/app"]')),
    ("inconclusive", "open-trust", call("kms/aws", "key_users = var.users")),
    ("violated", "wildcard-action",
     call("iam/aws//modules/iam-policy",
         'policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }] })')),
    ("upheld", "wildcard-action",
     call("iam/aws//modules/iam-policy",
         'policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "s3:GetObject", '
         'Resource = "*" }] })')),
    ("inconclusive", "wildcard-action", call("iam/aws//modules/iam-policy", "policy = var.policy")),
    ("violated", "privilege-escalation",
     call("iam/aws//modules/iam-policy",
         'policy = jsonencode({ Statement = [{ Effect = "Allow", Action = "iam:PutUserPolicy", '
         'Resource = "*" }] })')),
    ("violated", "open-trust",
     call("iam/aws//modules/iam-assumable-role",
         'create_role = true\ntrusted_role_arns = ["*"]')),
    ("upheld", "open-trust",
     call("iam/aws//modules/iam-assumable-role",
         'create_role = true\ntrusted_role_arns = ["*"]\nrole_sts_externalid = "x-17"')),
    ("upheld", "open-trust",
     call("iam/aws//modules/iam-assumable-role",
         'create_role = true\ntrusted_role_arns = ["arn:aws:iam::111122223333:root"]')),
    ("violated", "wildcard-action",
     call("iam/aws//modules/iam-assumable-role",
         "create_role = true\nattach_admin_policy = true")),
    ("violated", "wildcard-action",
     call("iam/aws//modules/iam-role",
         'policies = { a = "arn:aws:iam::aws:policy/AdministratorAccess" }')),
    ("upheld", "wildcard-action",
     call("iam/aws//modules/iam-role",
         'policies = { a = "arn:aws:iam::aws:policy/ReadOnlyAccess" }')),
    ("violated", "open-trust",
     call("iam/aws//modules/iam-role",
         'trust_policy_permissions = { a = { actions = ["sts:AssumeRole"], principals = [{ type = "AWS", '
         'identifiers = ["*"] }] } }')),
    ("violated", "wildcard-action",
     call("iam/aws//modules/iam-user",
         'policy_arns = ["arn:aws:iam::aws:policy/AdministratorAccess"]')),
    ("violated", "wildcard-action",
     call("iam/aws//modules/iam-group-with-policies",
         'custom_group_policies = [{ name = "a", policy = jsonencode({ Statement = [{ Effect = "Allow", '
         'Action = "ec2:*", Resource = "*" }] }) }]')),
    ("inconclusive", "wildcard-action", call("iam/aws//modules/iam-read-only-policy", "")),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "rule", "program"), CASES)
def test_inputs_are_judged_by_their_documented_meaning(expected: Outcome, rule: str, program: str) -> None:
    assert outcome(rule, program) == expected, reasons(rule, program)


def test_the_input_is_shown_and_the_reason_names_the_call() -> None:
    program = call("rds/aws", '  engine = "postgres"\n  publicly_accessible = true', name="orders")
    (finding,) = findings("terraform", ["public-database"], program, "main.tf")
    assert finding.reason.startswith("aws_db_instance.orders/this: ")
    assert finding.spans[0].line == 4


def test_a_policy_outside_of_the_call_is_closed_by_the_block_of_the_call() -> None:
    outside = f'resource "aws_s3_bucket_policy" "p" {{\n  bucket = module.main.s3_bucket_id\n  {PUBLIC_POLICY}\n}}\n'
    assert outcome("public-storage", call("s3-bucket/aws", CLOSED) + outside) == "upheld"
    assert outcome("public-storage", call("s3-bucket/aws", OPEN) + outside) == "violated"
    assert outcome("public-storage", call("s3-bucket/aws", "", version="3.7.0") + outside) == "inconclusive"


def test_each_turn_of_a_loop_is_a_call_of_its_own() -> None:
    program = call("rds/aws", "for_each = { a = true, b = false }\npublicly_accessible = each.value")
    assert [reason.split(":")[0] for reason in reasons("public-database", program)] == ["aws_db_instance.main/this"]


@pytest.mark.parametrize("source", ["security-group/aws", "s3-bucket/aws", "rds/aws", "rds-aurora/aws", "eks/aws",
                                    "kms/aws", "vpc/aws", "iam/aws//modules/iam-role",
                                    "iam/aws//modules/iam-user"])  # fmt: skip
@pytest.mark.parametrize("value", ["7", '"x"', "null", "[1, [2]]", "{ a = { b = [] } }", "var.x", '[{ rule = ["a"] }]'])
def test_inputs_of_a_wrong_kind_end_no_rule(source: str, value: str) -> None:
    names = ("acl policy grant attach_policy ingress_rules ingress_with_cidr_blocks instances policies permissions "
             "key_statements key_users node_security_group_additional_rules default_security_group_ingress version "
             "trust_policy_permissions publicly_accessible endpoint_public_access_cidrs")  # fmt: skip
    program = call(source, "\n".join(f"{name} = {value}" for name in names.split()))
    assert all(outcome(rule, program) for rule in RULES)
