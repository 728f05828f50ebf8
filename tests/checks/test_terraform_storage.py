"""`public-storage`, program by program."""

import pytest

from tests.checks.judged import outcome, reasons

BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "acme-data"\n}\n'
ACL = 'resource "aws_s3_bucket_acl" "b" {\n  bucket = aws_s3_bucket.b.id\n  acl = "public-read"\n}\n'
OPEN_STATEMENT = '{ Effect = "Allow", Principal = "*", Action = "s3:GetObject", Resource = "*" }'


def block(**switches: object) -> str:
    lines = "".join(f"  {name} = {str(value).lower()}\n" for name, value in switches.items())
    return f'resource "aws_s3_bucket_public_access_block" "b" {{\n  bucket = aws_s3_bucket.b.id\n{lines}}}\n'


def policy(statement: str, bucket: str = "aws_s3_bucket.b.id") -> str:
    return (
        f'resource "aws_s3_bucket_policy" "b" {{\n  bucket = {bucket}\n'
        f"  policy = jsonencode({{ Statement = [{statement}] }})\n}}\n"
    )


VIOLATED = {
    "acl": BUCKET + ACL,
    "acl of everybody with an account": ACL.replace("public-read", "authenticated-read"),
    "acl inside the bucket": 'resource "aws_s3_bucket" "b" {\n  acl = "public-read-write"\n}\n',
    "acl by a variable's default": 'variable "acl" {\n  default = "public-read"\n}\n'
    + ACL.replace('"public-read"', "var.acl"),
    "acl by a local": 'locals {\n  acl = "public-read"\n}\n' + ACL.replace('"public-read"', "local.acl"),
    "acl by a condition that is known": ACL.replace('"public-read"', 'true ? "public-read" : "private"'),
    "acl for each": 'resource "aws_s3_bucket_acl" "b" {\n  for_each = toset(["private", "public-read"])\n'
    "  bucket = aws_s3_bucket.b.id\n  acl = each.value\n}\n",
    "public object": 'resource "aws_s3_object" "o" {\n  bucket = "b"\n  key = "k"\n  acl = "public-read"\n}\n',
    "grant to all users": 'resource "aws_s3_bucket_acl" "b" {\n  access_control_policy {\n    grant {\n'
    '      permission = "READ"\n      grantee {\n        type = "Group"\n'
    '        uri = "http://acs.amazonaws.com/groups/global/AllUsers"\n      }\n    }\n  }\n}\n',
    "block of another bucket": BUCKET + ACL + block(block_public_acls=True).replace("aws_s3_bucket.b.id", '"other"'),
    "block that is off": BUCKET + ACL + block(block_public_acls=False, ignore_public_acls=False),
    "block of policies does not close an acl": BUCKET + ACL + block(block_public_policy=True),
    "policy": BUCKET + policy(OPEN_STATEMENT),
    "policy for any AWS principal": policy(OPEN_STATEMENT.replace('"*", Action', '{ AWS = ["*"] }, Action')),
    "policy in a heredoc": 'resource "aws_s3_bucket_policy" "b" {\n  bucket = "b"\n  policy = <<EOF\n'
    '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*",'
    ' "Resource": "${aws_s3_bucket.b.arn}/*"}]}\nEOF\n}\n',
    "policy inside the bucket": 'resource "aws_s3_bucket" "b" {\n  policy = jsonencode({ Statement = '
    + OPEN_STATEMENT
    + " })\n}\n",
    "policy by a document": 'data "aws_iam_policy_document" "d" {\n  statement {\n    actions = ["s3:GetObject"]\n'
    '    principals {\n      type = "*"\n      identifiers = ["*"]\n    }\n  }\n}\n'
    'resource "aws_s3_bucket_policy" "b" {\n  policy = data.aws_iam_policy_document.d.json\n}\n',
    "a referer can be forged": policy(
        OPEN_STATEMENT.replace("}", ', Condition = { StringLike = { "aws:Referer" = "https://acme.example/*" } } }')
    ),
    "a range that is everything": policy(
        OPEN_STATEMENT.replace("}", ', Condition = { IpAddress = { "aws:SourceIp" = "0.0.0.0/0" } } }')
    ),
    "google member": 'resource "google_storage_bucket_iam_member" "m" {\n  bucket = "b"\n'
    '  role = "roles/storage.objectViewer"\n  member = "allUsers"\n}\n',
    "google binding": 'resource "google_storage_bucket_iam_binding" "m" {\n  bucket = "b"\n'
    '  members = ["user:a@b.c", "allAuthenticatedUsers"]\n}\n',
    "google acl": 'resource "google_storage_bucket_acl" "a" {\n  role_entity = ["READER:allUsers"]\n}\n',
    "google policy": 'resource "google_storage_bucket_iam_policy" "p" {\n'
    "  policy_data = data.google_iam_policy.p.policy_data\n}\n"
    'data "google_iam_policy" "p" {\n  binding {\n    members = ["allUsers"]\n  }\n}\n',
    "azure container": 'resource "azurerm_storage_container" "c" {\n  container_access_type = "blob"\n}\n',
    "azure account": 'resource "azurerm_storage_account" "a" {\n  allow_nested_items_to_be_public = true\n}\n',
    "image repository": 'resource "aws_ecr_repository_policy" "r" {\n  policy = jsonencode({ Statement = ['
    + OPEN_STATEMENT
    + "] })\n}\n",
}

UPHELD = {
    "bucket by itself": BUCKET,
    "private acl": BUCKET + ACL.replace("public-read", "private"),
    "acl that is blocked": BUCKET + ACL + block(block_public_acls=True),
    "acl that is ignored": BUCKET + ACL + block(ignore_public_acls=True),
    "acl blocked by the bucket's name": BUCKET
    + ACL.replace("aws_s3_bucket.b.id", '"acme-data"')
    + block(ignore_public_acls=True),
    "acl blocked for the account": ACL
    + 'resource "aws_s3_account_public_access_block" "a" {\n  block_public_acls = true\n}\n',
    "block that is off and nothing public": BUCKET + block(block_public_acls=False, block_public_policy=False),
    "policy that is blocked": BUCKET + policy(OPEN_STATEMENT) + block(block_public_policy=True),
    "policy that is restricted": BUCKET + policy(OPEN_STATEMENT) + block(restrict_public_buckets=True),
    "policy for an account": policy(
        OPEN_STATEMENT.replace('"*", Action', '{ AWS = "arn:aws:iam::123456789012:root" }, Action')
    ),
    "policy for CloudFront": policy(
        OPEN_STATEMENT.replace('"*", Action', '{ Service = "cloudfront.amazonaws.com" }, Action')
    ),
    "policy that denies": policy(OPEN_STATEMENT.replace("Allow", "Deny")),
    "policy for one network": policy(
        OPEN_STATEMENT.replace("}", ', Condition = { IpAddress = { "aws:SourceIp" = "203.0.113.0/24" } } }')
    ),
    "policy for one organisation": policy(
        OPEN_STATEMENT.replace("}", ', Condition = { StringEquals = { "aws:PrincipalOrgID" = var.org } } }')
    ),
    "principal from a resource": policy(
        OPEN_STATEMENT.replace('"*", Action', "{ AWS = aws_iam_role.app.arn }, Action")
    ),
    "a resource that is never made": 'resource "aws_s3_bucket_acl" "b" {\n  count = 0\n  acl = "public-read"\n}\n'
    + BUCKET,
    "google prevention": 'resource "google_storage_bucket" "b" {\n  public_access_prevention = "enforced"\n}\n'
    'resource "google_storage_bucket_iam_member" "m" {\n  bucket = google_storage_bucket.b.name\n'
    '  member = "allUsers"\n}\n',
    "azure container of a closed account": 'resource "azurerm_storage_account" "a" {\n'
    '  allow_nested_items_to_be_public = false\n}\nresource "azurerm_storage_container" "c" {\n'
    '  storage_account_name = azurerm_storage_account.a.name\n  container_access_type = "blob"\n}\n',
}

INCONCLUSIVE = {
    "acl from outside": ("var.acl", ACL.replace('"public-read"', "var.acl")),
    "block from outside": ("var.closed", BUCKET + ACL + block(block_public_acls="var.closed")),
    "policy from a file": ("file(…)", policy("").replace("jsonencode({ Statement = [] })", 'file("policy.json")')),
    "principal from outside": (
        "var.reader",
        policy(OPEN_STATEMENT.replace('"*", Action', "{ AWS = var.reader }, Action")),
    ),
}


def joined(acl: str, closed: str, around: str = "") -> str:
    """An ACL on the bucket `acl` and a block on the bucket `closed`."""
    opened = ACL.replace("aws_s3_bucket.b.id", acl)
    return around + opened + block(ignore_public_acls=True).replace("aws_s3_bucket.b.id", closed)


@pytest.mark.parametrize(
    ("acl", "closed", "expected"),
    [
        ('trimspace("prod")', 'trimspace("dev")', "violated"),
        ("aws_s3_bucket.x.id", "aws_s3_bucket.x.bucket", "upheld"),
        ('aws_s3_bucket.x["a"].id', 'aws_s3_bucket.x["a"].id', "upheld"),
        ('aws_s3_bucket.x["a"].id', 'aws_s3_bucket.x["b"].id', "inconclusive"),
        ("aws_s3_bucket.x[0].id", "aws_s3_bucket.x[0].bucket", "upheld"),
        ("aws_s3_bucket.x[0].id", "aws_s3_bucket.x[1].id", "inconclusive"),
        ("aws_s3_bucket.x[each.key].id", "aws_s3_bucket.x[each.key].id", "inconclusive"),
        ("each.value", "each.value", "inconclusive"),
        ('"${aws_s3_bucket.x.id}-logs"', "aws_s3_bucket.x.id", "inconclusive"),
        ("var.bucket", "var.bucket", "upheld"),
        ('var.buckets["a"]', 'var.buckets["b"]', "inconclusive"),
        ("module.a.bucket", "module.b.bucket", "violated"),
        ("aws_s3_bucket.x.id", "aws_s3_bucket.y.id", "violated"),
    ],
)
def test_a_block_closes_its_own_bucket_only(acl: str, closed: str, expected: str) -> None:
    assert outcome("public-storage", joined(acl, closed)) == expected


def test_buckets_of_one_loop_are_told_apart() -> None:
    loop = 'resource "aws_s3_bucket" "x" {\n  for_each = toset(["a", "b"])\n  bucket = each.key\n}\n'
    assert outcome("public-storage", joined('"a"', '"b"', loop)) == "inconclusive"
    assert outcome("public-storage", joined('"a"', '"a"', loop)) == "upheld"
    both = joined("aws_s3_bucket.x[each.key].id", "aws_s3_bucket.x[each.key].id", loop)
    assert outcome(
        "public-storage", both.replace("  bucket = aws", '  for_each = toset(["a", "b"])\n  bucket = aws')
    ) == ("upheld")


@pytest.mark.parametrize("name", VIOLATED)
def test_violated(name: str) -> None:
    assert outcome("public-storage", VIOLATED[name]) == "violated"


@pytest.mark.parametrize("name", UPHELD)
def test_upheld(name: str) -> None:
    assert reasons("public-storage", UPHELD[name]) == []
    assert outcome("public-storage", UPHELD[name]) == "upheld"


@pytest.mark.parametrize("name", INCONCLUSIVE)
def test_inconclusive_says_which_value(name: str) -> None:
    value, program = INCONCLUSIVE[name]
    assert outcome("public-storage", program) == "inconclusive"
    assert f"since {value} is not known here" in reasons("public-storage", program)[0]


def test_the_reason_names_resource_and_fault() -> None:
    assert reasons("public-storage", BUCKET + ACL) == [
        "aws_s3_bucket_acl.b: the ACL lets everyone on the internet read the bucket."
    ]


def test_nothing_to_judge() -> None:
    assert outcome("public-storage", 'resource "aws_vpc" "v" {\n  cidr_block = "10.0.0.0/16"\n}\n') == "not_applicable"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "upheld"),
        ("count = 1", "upheld"),
        ("count = var.n", "inconclusive"),
        ("provider = aws.other", "inconclusive"),
    ],
)
def test_a_block_that_may_not_be_applied_closes_nothing(line: str, expected: str) -> None:
    here = block(block_public_acls=True).replace("  bucket", f"  {line}\n  bucket", 1)
    account = f'resource "aws_s3_account_public_access_block" "all" {{\n  {line}\n  ignore_public_acls = true\n}}\n'
    for program in (BUCKET + ACL + here, BUCKET + ACL + account):
        assert outcome("public-storage", program) == expected
