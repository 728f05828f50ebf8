"""What cloud commands open, wherever they stand."""

import json
from time import process_time

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.command_line import commands
from lawspeaker.exchange import ToolCall
from lawspeaker.finding import Finding, Outcome, combine
from tests.checks.judged import answer, findings

EVERYONE = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]})
TRUST = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]})
ADMIN = json.dumps({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
STORAGE, DATABASE, INGRESS, WILDCARD = "public-storage", "public-database", "open-admin-ingress", "wildcard-action"


def said(rule: str, text: str) -> Outcome:
    return combine(finding.outcome for finding in findings("terraform", rule, text))


def called(rule: str, arguments: str) -> list[Finding]:
    exchange = answer(ToolCall("shell", arguments))
    return list(KINDS["terraform"].prepare(rule, "p").examine(exchange, frozenset({"tool_call"})))


@pytest.mark.parametrize(
    ("rule", "command"),
    [
        (STORAGE, "aws s3api put-bucket-acl --bucket b --acl public-read"),
        (STORAGE, "aws --profile p s3api put-bucket-acl --bucket=b --acl=public-read-write"),
        (STORAGE, "AWS_PROFILE=p sudo aws s3 cp x s3://b/ --acl public-read"),
        (
            STORAGE,
            "aws s3api put-bucket-acl --bucket b --grant-read uri=http://acs.amazonaws.com/groups/global/AllUsers",
        ),
        (STORAGE, f"aws s3api put-bucket-policy --bucket b --policy '{EVERYONE}'"),
        (STORAGE, "aws s3api put-bucket-acl \\\n  --bucket b \\\n  --acl public-read"),
        (
            STORAGE,
            "gcloud storage buckets add-iam-policy-binding gs://b --member=allUsers --role=roles/storage.objectViewer",
        ),
        (STORAGE, "gsutil iam ch allUsers:objectViewer gs://b"),
        (STORAGE, "gsutil acl ch -u AllUsers:R gs://b/x"),
        (STORAGE, "gsutil acl set public-read gs://b"),
        (STORAGE, "gsutil cp -a public-read x gs://b"),
        (STORAGE, "az storage container create -n c --public-access blob"),
        (STORAGE, "az storage account update -n a --allow-blob-public-access true"),
        (DATABASE, "aws rds modify-db-instance --db-instance-identifier d --publicly-accessible"),
        (DATABASE, "gcloud sql instances patch d --authorized-networks=0.0.0.0/0"),
        (
            DATABASE,
            "az sql server firewall-rule create -n f --start-ip-address 0.0.0.0 --end-ip-address 255.255.255.255",
        ),
        (INGRESS, "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 22 --cidr 0.0.0.0/0"),
        (
            INGRESS,
            "aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions "
            "IpProtocol=tcp,FromPort=3389,ToPort=3389,IpRanges='[{CidrIp=0.0.0.0/0}]'",
        ),
        (
            INGRESS,
            "aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions "
            """'[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]'""",
        ),
        (INGRESS, "gcloud compute firewall-rules create f --allow tcp:22,icmp"),
        (INGRESS, "gcloud compute firewall-rules create f --allow=tcp:20-23 --source-ranges=0.0.0.0/0"),
        (
            INGRESS,
            "az network nsg rule create -g r --nsg-name n -n x --priority 100 --destination-port-ranges 3389 "
            "--source-address-prefixes '*' --access Allow --direction Inbound --protocol Tcp",
        ),
        (INGRESS, "az vm open-port -g r -n v --port 22"),
        (WILDCARD, "aws iam attach-role-policy --role-name r --policy-arn arn:aws:iam::aws:policy/AdministratorAccess"),
        ("open-trust", "aws lambda add-permission --function-name f --action lambda:InvokeFunction --principal '*'"),
        ("open-trust", "aws lambda add-permission --function-name f --statement-id s --principal=s3.amazonaws.com"),
        ("public-endpoint", "aws lambda create-function-url-config --function-name f --auth-type NONE"),
        ("public-endpoint", "gcloud run services add-iam-policy-binding s --member=allUsers --role=roles/run.invoker"),
        ("open-trust", f"aws iam create-role --role-name r --assume-role-policy-document '{TRUST}'"),
        (WILDCARD, f"aws iam put-user-policy --user-name u --policy-name p --policy-document '{ADMIN}'"),
    ],
)
def test_a_command_that_opens_is_violated(rule: str, command: str) -> None:
    assert said(rule, f"Run this:\n\n```bash\n{command}\n```\n") == "violated"
    assert said(rule, f"Run this:\n{command}\n") == "violated"
    assert combine(finding.outcome for finding in called(rule, json.dumps({"command": command}))) == "violated"
    assert combine(finding.outcome for finding in called(rule, json.dumps({"argv": command.split(" ")}))) != "upheld"


@pytest.mark.parametrize(
    ("rule", "command"),
    [
        (STORAGE, "aws s3api put-bucket-acl --bucket b --acl private"),
        (STORAGE, "aws s3 ls s3://public-read"),
        (STORAGE, "gsutil iam ch user:a@example.com:objectViewer gs://b"),
        (STORAGE, "az storage container create -n c --public-access off"),
        (STORAGE, "Never run `aws s3api put-bucket-acl --bucket b --acl public-read` on a bucket of ours."),
        (STORAGE, "# aws s3api put-bucket-acl --bucket b --acl public-read"),
        (DATABASE, "aws rds modify-db-instance --db-instance-identifier d --no-publicly-accessible"),
        (DATABASE, "aws rds create-db-instance --db-instance-identifier d --engine postgres"),
        (
            INGRESS,
            "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 22 --cidr 10.0.0.0/8",
        ),
        (
            INGRESS,
            "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 443 --cidr 0.0.0.0/0",
        ),
        (INGRESS, "gcloud compute firewall-rules create f --allow tcp:22 --source-ranges=35.235.240.0/20"),
        (INGRESS, "gcloud compute firewall-rules create f --allow tcp:22 --direction EGRESS"),
        (INGRESS, "az network nsg rule create --destination-port-ranges 22 --access Deny"),
        (WILDCARD, "aws iam attach-role-policy --role-name r --policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ],
)
def test_a_command_that_opens_nothing_is_no_evidence(rule: str, command: str) -> None:
    assert said(rule, f"```sh\n{command}\n```\n") == "not_applicable"


@pytest.mark.parametrize(
    ("rule", "command"),
    [
        (STORAGE, 'aws s3api put-bucket-acl --bucket b --acl "$ACL"'),
        (STORAGE, "aws s3api put-bucket-policy --bucket b --policy file://policy.json"),
        (INGRESS, "aws ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 22 --cidr ${CIDR}"),
        (WILDCARD, "aws iam put-role-policy --role-name r --policy-name p --policy-document file://p.json"),
    ],
)
def test_what_a_command_takes_from_elsewhere_is_inconclusive(rule: str, command: str) -> None:
    assert said(rule, f"```sh\n{command}\n```\n") == "inconclusive"


def test_a_command_in_a_provisioner_of_a_program_counts() -> None:
    program = """resource "null_resource" "n" {
  provisioner "local-exec" {
    command = "aws s3api put-bucket-acl --bucket b --acl public-read"
  }
}
"""
    assert said(STORAGE, program) == "violated"


def test_the_place_of_a_command_is_exact() -> None:
    text = "First:\n```sh\necho hi; aws s3 cp x s3://b --acl public-read\n```\n"
    (finding,) = findings("terraform", STORAGE, text)
    (span,) = finding.spans
    assert text[span.start : span.end] == "aws s3 cp x s3://b --acl public-read"
    assert "public-read" not in finding.reason


@pytest.mark.parametrize(
    "text", ["aws " * 20_000, "aws s3 '" + "x" * 80_000, "(" * 80_000 + "aws ", "aws \\\n" * 20_000]
)
def test_hostile_commands_take_linear_time(text: str) -> None:
    begin = process_time()
    commands(text)
    assert process_time() - begin < 2


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("--principal '*' --source-arn arn:aws:s3:::acme-uploads", "not_applicable"),
        ("--principal '*' --principal-org-id o-a1b2c3d4e5", "not_applicable"),
        ("--principal '*' --function-url-auth-type AWS_IAM", "not_applicable"),
        ("--principal 111122223333", "not_applicable"),
        ("--principal $WHO", "inconclusive"),
    ],
)
def test_a_permission_of_a_function_counts_with_its_limits(limit: str, expected: Outcome) -> None:
    assert said("open-trust", f"aws lambda add-permission --function-name f {limit}") == expected


@pytest.mark.parametrize(
    "text",
    [
        "aws s3 ls\n" * 500 + "aws s3api put-bucket-acl --bucket b --acl public-read\n",
        "aws s3api put-bucket-acl --bucket b " + "--debug " * 600 + "--acl public-read\n",
    ],
)
def test_what_is_beyond_the_bounds_is_undecided(text: str) -> None:
    assert said(STORAGE, text) == "inconclusive"
    assert "inconclusive" in {finding.outcome for finding in called(STORAGE, json.dumps({"command": text}))}
    assert said(STORAGE, "aws s3 ls\n" * 500) == "not_applicable"


def test_many_that_are_undecided_hide_none_that_opens() -> None:
    text = "aws s3api put-bucket-acl --bucket b --acl $ACL\n" * 200
    assert said(STORAGE, text) == "inconclusive"
    assert said(STORAGE, text + "aws s3api put-bucket-acl --bucket b --acl public-read\n") == "violated"
