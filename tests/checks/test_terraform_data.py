"""`unencrypted-at-rest`, `wildcard-action` and `plain-text-secret`, program by program."""

import base64

import pytest

from lawspeaker.finding import Outcome
from tests.checks.judged import findings, outcome, reasons


def resource(type: str, *lines: str, name: str = "x") -> str:
    return f'resource "{type}" "{name}" {{\n' + "".join(f"  {line}\n" for line in lines) + "}\n"


DEFAULT_ON = resource("aws_ebs_encryption_by_default", "enabled = true")
PRIMARY = resource("aws_db_instance", "storage_encrypted = %s", name="primary")
REPLICA = resource("aws_db_instance", "replicate_source_db = aws_db_instance.primary.arn", name="replica")

ENCRYPTION: list[tuple[Outcome, str]] = [
    ("violated", resource("aws_db_instance", 'engine = "postgres"')),
    ("violated", resource("aws_db_instance", "storage_encrypted = false")),
    ("violated", resource("aws_rds_cluster", 'engine = "aurora-postgresql"')),
    ("violated", resource("aws_ebs_volume", "size = 10")),
    ("violated", resource("aws_instance", "root_block_device {", "  encrypted = false", "}")),
    ("violated", resource("aws_instance", "ebs_block_device {", "  volume_size = 10", "}")),
    ("violated", resource("aws_efs_file_system", 'creation_token = "a"')),
    ("violated", resource("aws_redshift_cluster", "encrypted = false")),
    ("violated", resource("aws_elasticache_replication_group", 'engine = "redis"')),
    ("violated", resource("aws_opensearch_domain", "encrypt_at_rest {", "  enabled = false", "}")),
    ("violated", resource("aws_opensearch_domain", 'domain_name = "a"')),
    ("violated", resource("aws_sqs_queue", "sqs_managed_sse_enabled = false")),
    ("violated", PRIMARY % "false" + REPLICA),
    ("upheld", resource("aws_db_instance", "storage_encrypted = true")),
    ("upheld", resource("aws_rds_cluster", 'engine_mode = "serverless"')),
    ("upheld", resource("aws_ebs_volume", "encrypted = true")),
    ("upheld", DEFAULT_ON + resource("aws_ebs_volume", "size = 10")),
    ("upheld", resource("aws_efs_file_system", "encrypted = true")),
    ("upheld", resource("aws_s3_bucket", 'bucket = "a"')),
    ("upheld", resource("aws_dynamodb_table", "server_side_encryption {", "  enabled = false", "}")),
    ("upheld", resource("aws_sqs_queue", 'name = "q"')),
    ("upheld", resource("aws_sqs_queue", "sqs_managed_sse_enabled = false", 'kms_master_key_id = "alias/a"')),
    ("upheld", resource("aws_opensearch_domain", "encrypt_at_rest {", "  enabled = true", "}")),
    ("upheld", PRIMARY % "true" + REPLICA),
    ("not_applicable", resource("aws_instance", 'ami = "ami-1"')),
    ("inconclusive", resource("aws_db_instance", "storage_encrypted = var.encrypted")),
    ("inconclusive", resource("aws_db_instance", 'snapshot_identifier = "s"')),
]

STATEMENT = 'policy = jsonencode({ Statement = [{ Effect = "%s", %s = %s, Resource = "*" }] })'
DOCUMENT = """data "aws_iam_policy_document" "d" {
  statement {
    %s
    actions = %s
  }
}
"""
PRINCIPAL = """principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::123456789012:root"]
    }"""

D = "data.aws_iam_policy_document.d"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

IDENTITY: list[tuple[Outcome, str]] = [
    ("violated", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"*"'))),
    ("violated", resource("aws_iam_role_policy", STATEMENT % ("Allow", "Action", '["s3:GetObject", "s3:*"]'))),
    ("violated", resource("aws_iam_user_policy", STATEMENT % ("Allow", "NotAction", '["iam:*"]'))),
    ("violated", resource("aws_iam_group_policy", "policy = <<EOF", '{"Statement": {"Effect": "Allow",',
                          '"Action": "*", "Resource": "*"}}', "EOF")),
    ("violated", resource("aws_iam_role", "inline_policy {", STATEMENT % ("Allow", "Action", '"ec2:*"'), "}")),
    ("violated", DOCUMENT % ("", '["*"]')),
    ("violated", 'data "aws_iam_policy_document" "e" {\n  source_policy_documents = '
                 "[data.aws_iam_policy_document.d.json]\n}\n" + DOCUMENT % ("", '["kms:*"]')),
    ("violated", resource("aws_iam_role_policy_attachment", f'policy_arn = "{ADMINISTRATOR}"')),
    ("violated", resource("azurerm_role_definition", "permissions {", '  actions = ["*"]', "}")),
    ("violated", resource("aws_sqs_queue_policy", STATEMENT % ("Allow", "Action", '"*"'))),
    ("violated", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"s3:?*"'))),
    ("violated", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"s3:*?*"'))),
    ("violated", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"ia?:*"'))),
    ("violated", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"i*:Get*"'))),
    ("violated", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"*:*"'))),
    ("violated", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"**"'))),
    ("upheld", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '["s3:GetObject", "s3:Put*"]'))),
    ("upheld", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", '"s3:*Tagging"'))),
    ("upheld", resource("aws_iam_policy", STATEMENT % ("Deny", "Action", '"*"'))),
    ("upheld", DOCUMENT % ("", '["s3:GetObject"]')),
    ("upheld", DOCUMENT % (PRINCIPAL, '["kms:*"]')),
    ("upheld", DOCUMENT % ('effect = "Deny"', '["*"]')),
    ("upheld", resource("aws_iam_policy", f"policy = {D}.json") + DOCUMENT % ("", '["s3:Get*"]')),
    ("not_applicable", resource("aws_kms_key", STATEMENT % ("Allow", "Action", '"kms:*"'))),
    ("inconclusive", resource("aws_iam_policy", STATEMENT % ("Allow", "Action", "var.actions"))),
    ("inconclusive", resource("aws_iam_policy", 'policy = file("policy.json")')),
]  # fmt: skip

VARIABLES = ("environment {", "  variables = { %s }", "}")
SCRIPT = ("user_data = <<EOF", "#!/bin/sh", "%s", "EOF")
ENCODED = base64.b64encode(b'export DB_PASSWORD="correct-horse"').decode()

SECRETS: list[tuple[Outcome, str]] = [
    ("violated", resource("aws_db_instance", 'password = "correct-horse"')),
    ("violated", resource("aws_db_instance", 'password = "changeme"')),
    ("violated", resource("aws_rds_cluster", 'master_password = "aaaa1111"')),
    ("violated", resource("aws_secretsmanager_secret_version", 'secret_string = "horse-battery-2"')),
    ("violated", 'variable "db_password" {\n  default = "correct-horse"\n}\n'),
    ("violated", 'locals {\n  api_token = "9f8e7d6c5b4a"\n}\n'),
    ("violated", 'provider "x" {\n  secret_key = "9f8e7d6c5b4a3f2e1d"\n}\n'),
    ("violated", resource("aws_lambda_function", *VARIABLES) % 'DB_PASSWORD = "correct-horse"'),
    ("violated", resource("aws_ecs_task_definition", "container_definitions = jsonencode([{",
                          'environment = [{ name = "API_TOKEN", value = "9f8e7d6c5b4a" }] }])')),
    ("violated", resource("aws_instance", *SCRIPT) % 'export DB_PASSWORD="correct-horse"'),
    ("violated", resource("aws_instance", f'user_data_base64 = "{ENCODED}"')),
    ("violated", resource("aws_instance", f'tags = {{ note = "AK{"IA" + "Q3EXAMPL3K3Y" + "ABCD"}" }}')),
    ("upheld", resource("aws_db_instance", "password = var.db_password")),
    ("upheld", resource("aws_db_instance", "password = random_password.db.result")),
    ("upheld", resource("aws_db_instance", "manage_master_user_password = true")),
    ("upheld", resource("aws_db_instance", 'password = "<password>"')),
    ("upheld", resource("aws_db_instance", 'password = ""')),
    ("upheld", 'variable "db_password" {\n  type = string\n  sensitive = true\n}\n'),
    ("upheld", resource("aws_instance", "metadata_options {", '  http_tokens = "required"', "}")),
    ("upheld", resource("aws_lambda_function", *VARIABLES) % 'TOKEN = "arn:aws:ssm:eu-west-1:1:parameter/t"'),
    ("upheld", resource("aws_instance", *SCRIPT) % 'export DB_PASSWORD="$(aws ssm get-parameter --name p)"'),
    ("upheld", resource("aws_efs_file_system", 'creation_token = "ledger-files"', "encrypted = true")),
    ("upheld", resource("aws_route53_zone", 'client_request_token = "x04mppu shio 62"')),
    ("not_applicable", "# nothing here\n"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "expected", "program"),
    [
        (rule, *row)
        for rule, table in (
            ("unencrypted-at-rest", ENCRYPTION),
            ("wildcard-action", IDENTITY),
            ("plain-text-secret", SECRETS),
        )
        for row in table
    ],
)
def test_rule(rule: str, expected: Outcome, program: str) -> None:
    assert outcome(rule, program) == expected, (program, reasons(rule, program))


def test_no_reason_repeats_a_secret() -> None:
    for expected, program in SECRETS:
        if expected == "violated":
            for finding in findings("terraform", ["plain-text-secret"], program, "main.tf"):
                text = finding.reason + finding.evidence
                assert "horse" not in text
                assert "9f8e7d" not in text
                assert "EXAMPL3" not in text


def test_a_secret_is_reported_once_and_at_its_line() -> None:
    program = resource("aws_db_instance", 'engine = "mysql"', 'password = "correct-horse-9"')
    found = findings("terraform", ["plain-text-secret"], program, "main.tf")
    assert [(finding.reason, finding.spans[0].line) for finding in found] == [
        ("aws_db_instance.x: password stands in plain text.", 3)
    ]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("*", "every action"),
        ("*:*", "every action"),
        ("s3:?*", "every action of s3"),
        ("ia?:*", "actions of whole groups of services"),
        ("AK" + "IAQ7ZK3MN5VX2JH4TB:*", "every action of …"),
    ],
)
def test_a_wildcard_is_put_in_words(action: str, words: str) -> None:
    program = resource("aws_iam_policy", STATEMENT % ("Allow", "Action", f'"{action}"'))
    assert reasons("wildcard-action", program) == [f"aws_iam_policy.x: a statement allows {words}."]


@pytest.mark.parametrize(
    "line",
    ['tags = {{ {key}_password = "c0rrect-horse" }}', 'environment = {{ "{key}-token" = "9f8e7d6c5b4a" }}', "# {key}"],
)
def test_a_name_that_is_a_key_is_not_repeated(line: str) -> None:
    key = "AK" + "IAQ7ZK3MN5VX2JH4TB"
    found = findings("terraform", ["plain-text-secret"], resource("aws_instance", line.format(key=key)), "main.tf")
    assert {finding.outcome for finding in found} == {"violated"}
    assert not any(key in finding.reason + finding.evidence for finding in found)


def test_a_label_that_is_a_key_is_not_repeated_where_the_key_is_reported() -> None:
    key = "AK" + "IAQ7ZK3MN5VX2JH4TB"
    found = findings("terraform", ["plain-text-secret"], resource("aws_instance", name=key), "main.tf")
    assert [(finding.outcome, finding.reason) for finding in found] == [
        ("violated", "…: a AWS access key id stands in plain text.")
    ]
