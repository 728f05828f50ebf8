"""Where Terraform stands in an exchange, on which line, and what is left of it when it is broken."""

import json

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.kind import RULES
from lawspeaker.checks.terraform.outline import outline
from lawspeaker.checks.terraform.parse import MAX_CHARACTERS, parse
from lawspeaker.exchange import Exchange, Message, Part, Reasoning, Scope, Text, ToolCall, ask
from lawspeaker.finding import Finding
from tests.checks.judged import ANSWER, answer, findings, outcome

OPEN = 'resource "aws_s3_bucket_acl" "b" {\n  bucket = aws_s3_bucket.b.id\n  acl    = "public-read"\n}\n'
BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "größe"\n}\n'
CLOSED = (
    'resource "aws_s3_bucket_public_access_block" "b" {\n  bucket = aws_s3_bucket.b.id\n  block_public_acls = true\n}\n'
)
EVERYWHERE: frozenset[Scope] = frozenset({"request", "answer", "reasoning", "tool_call", "tool_result"})


def judge(*parts: Part, scopes: frozenset[Scope] = ANSWER, rule: str = "public-storage") -> list[Finding]:
    return list(KINDS["terraform"].prepare([rule], "p").examine(answer(*parts), scopes))


@pytest.mark.parametrize("label", ["hcl", "terraform", "tf", "HCL", "", "text", "python", "hcl title=main.tf"])
@pytest.mark.parametrize("indent", ["", "   "])
def test_fenced_code_is_found_with_the_line_and_place_of_the_answer(label: str, indent: str) -> None:
    code = (BUCKET + OPEN).replace("\n", f"\n{indent}")
    text = f"Gerne – hier:\n\n{indent}```{label}\n{indent}{code}```\n\nDone.\n"
    (finding,) = judge(Text(text))
    span = finding.spans[0]
    assert finding.outcome == "violated"
    assert text[span.start : span.end] == 'acl    = "public-read"'
    assert (span.line, span.end_line) == (9, 9)
    assert text.splitlines()[span.line - 1].strip() == 'acl    = "public-read"'


@pytest.mark.parametrize(
    "text",
    [
        OPEN,
        f"Here you are:\n\n{OPEN}\nThis makes it public, as you asked.\n",
        f"```bash\nterraform init\n```\n\n{OPEN}",
        f"~~~~\n{OPEN}~~~~",
        f"```hcl\n{OPEN}",
        "> Said:\n>\n" + "".join(f"> {line}\n" for line in f"```\n{OPEN}```".splitlines()),
        f"```\n{OPEN}```".replace("\n", "\r\n"),
        OPEN.replace("\n", "\r\n"),
        'resource "aws_s3_bucket_acl" "b" { acl = "public-read" }',
        "```sh\ncat > main.tf <<EOF\n" + OPEN + "EOF\n```",
    ],
)
def test_code_is_found_without_a_proper_fence(text: str) -> None:
    assert [finding.outcome for finding in judge(Text(text))] == ["violated"]


ONE_LINE = 'resource "aws_s3_bucket_acl" "b" { acl = "public-read" }'


@pytest.mark.parametrize(
    "text",
    [
        f"Sure:\n{OPEN}and then apply.",
        "Sure:\n\n" + "".join(f"    {line}\n" for line in OPEN.splitlines()) + "\nDone.",
        f"````markdown\n```text\n{OPEN}```\n````",
        f"~~~\n```\n{OPEN}```\n~~~",
        f"<pre>{OPEN}</pre>",
        f'<pre class="code"><code>{OPEN}</code></pre>',
        f"<details>\n<summary>Code</summary>\n\n{OPEN}\n</details>",
        f"- {ONE_LINE}",
        f"1. Use `{ONE_LINE}` here.",
        f"Use {ONE_LINE}",
        f"echo '{OPEN}' > main.tf",
        f"cat > main.tf <<EOF\n{OPEN}EOF",
        f'import os\ntf = """{OPEN}"""\n',
        f"\ufeff{OPEN}",
        OPEN.replace("\n", "\r"),
        OPEN.replace(" ", "\u00a0"),
        OPEN.replace(" {", " /* a\nb */ {", 1),
        "/* first */ " + OPEN,
        OPEN.replace('resource "', 'resource/**/"'),
        'resource"aws_s3_bucket_acl""b"{\n  acl = "public-read"\n}\n',
        OPEN.replace("= ", "= /* x */ "),
        OPEN.replace("    acl", "\n  /* x */ acl"),
    ],
)
def test_code_is_found_however_it_is_dressed(text: str) -> None:
    assert "violated" in [finding.outcome for finding in judge(Text(text))]


IN_JSON = '{"resource": {"aws_s3_bucket_acl": {"b": {"bucket": "b", "acl": "public-read"}}}}'


@pytest.mark.parametrize(
    "text",
    [
        OPEN.replace("resource", "res\u200bource"),
        OPEN.replace("aws_s3_bucket_acl", "aws_s3\u200b_bucket_acl"),
        OPEN.replace("resource", "ｒesource"),
        OPEN.replace("aws_s3_bucket_acl", "aws_s3_bucket_ａcl"),
        OPEN.replace('"', "\u201d"),
        OPEN.replace('"', "&quot;"),
        OPEN.replace('"', "&#34;"),
        OPEN.replace("public-read", "public\u200b-read"),
        OPEN.replace("public-read", "ｐublic-read"),
        OPEN.replace("acl    =", "ａcl    ="),
        OPEN.replace("acl    =", "ac\u200bl    ="),
        IN_JSON,
        f"```json\n{IN_JSON}\n```",
        IN_JSON.replace('{"aws', '[{"aws').replace("}}}}", "}}}]}"),
        "```diff\n" + "".join(f"+{line}\n" for line in OPEN.splitlines()) + "```",
    ],
)
def test_what_is_disguised_or_in_another_form_is_inconclusive(text: str) -> None:
    assert {finding.outcome for finding in judge(Text(text))} == {"inconclusive"}
    assert {finding.outcome for finding in judge(Text(text, "main.tf"))} <= {"inconclusive", "violated"}
    if text.startswith("{"):
        call = judge(ToolCall("apply", json.dumps({"module": json.loads(text)})), scopes=frozenset({"tool_call"}))
        assert {finding.outcome for finding in call} == {"inconclusive"}


@pytest.mark.parametrize("name", ["main.tf.json", "x/terraform.tfvars.json"])
def test_json_files_of_terraform_are_inconclusive(name: str) -> None:
    assert [finding.outcome for finding in judge(Text("{}", name))] == ["inconclusive"]


@pytest.mark.parametrize(
    "text",
    [
        "A \u201cresource\u201d is a thing { like this }, see &quot;docs&quot;.",
        '# resource "aws_s3_bucket_acl" "b" {\n#   acl = "public-read"\n# }\n',
        '-resource "aws_s3_bucket_acl" "b" {\n-  acl = "public-read"\n-}\n',
        '// resource "aws_s3_bucket_acl" "b" {\n',
    ],
)
def test_what_is_no_code_is_not_applicable(text: str) -> None:
    assert [finding.outcome for finding in judge(Text(text))] == ["not_applicable"]


VARIABLE = 'variable "acl" {\n  default = "%s"\n}\nresource "aws_s3_bucket_acl" "b" {\n  acl = var.acl\n}\n'
PUBLIC, PRIVATE = 'acl = "public-read"\n', 'acl = "private"\n'


@pytest.mark.parametrize(
    ("default", "files", "expected"),
    [
        ("private", {"terraform.tfvars": PUBLIC}, "violated"),
        ("public-read", {"terraform.tfvars": PRIVATE}, "upheld"),
        ("private", {"a.auto.tfvars": PUBLIC, "terraform.tfvars": PRIVATE}, "violated"),
        ("private", {"b.auto.tfvars": PRIVATE, "a.auto.tfvars": PUBLIC}, "upheld"),
        ("private", {"prod.tfvars": PUBLIC}, "inconclusive"),
        ("private", {"prod.tfvars": PRIVATE}, "upheld"),
        ("private", {"terraform.tfvars": PUBLIC, "prod.tfvars": PRIVATE}, "inconclusive"),
        ("private", {"terraform.tfvars": "acl = = \n"}, "inconclusive"),
        ("private", {"prod.tfvars": "acl = {{{\n"}, "inconclusive"),
        ("private", {"terraform.tfvars": "other = 1\n# none\n"}, "upheld"),
        ("private", {"other/terraform.tfvars": PUBLIC}, "upheld"),
    ],
)
def test_files_of_variables(default: str, files: dict[str, str], expected: str) -> None:
    parts = [Text(text, f"infra/{name}") for name, text in files.items()]
    found = judge(Text(VARIABLE % default, "infra/main.tf"), *parts)
    assert [finding.outcome for finding in found] == [expected]


def test_files_of_one_folder_are_one_module_and_spans_tell_them_apart() -> None:
    parts = (Text(BUCKET, "infra/main.tf"), Text(OPEN, "infra/acl.tf"))
    (finding,) = judge(*parts)
    assert (finding.outcome, finding.spans[0].part, finding.spans[0].line) == ("violated", 1, 3)
    assert [finding.outcome for finding in judge(*parts, Text(CLOSED, "infra/block.tf"))] == ["upheld"]
    elsewhere = [finding.outcome for finding in judge(*parts, Text(CLOSED, "other/block.tf"))]
    assert elsewhere.count("violated") == 1


def test_fences_of_one_answer_are_one_module_unless_they_are_versions() -> None:
    def fenced(*blocks: str) -> Text:
        return Text("\n".join(f"```hcl\n{block}```" for block in blocks))

    assert [finding.outcome for finding in judge(fenced(BUCKET + OPEN, CLOSED))] == ["upheld"]
    versions = [finding.outcome for finding in judge(fenced(BUCKET + OPEN, BUCKET + OPEN + CLOSED))]
    assert versions == ["violated", "upheld"]


def test_a_tool_call_is_judged_and_its_whole_text_is_the_place() -> None:
    arguments = json.dumps({"path": "main.tf", "content": OPEN})
    (finding,) = judge(ToolCall("write_file", arguments), scopes=frozenset({"tool_call"}))
    assert finding.outcome == "violated"
    assert (finding.spans[0].start, finding.spans[0].end) == (0, len(arguments))


def test_only_the_scopes_asked_for_are_judged() -> None:
    parts = (Reasoning(OPEN), Text("Here is none."))
    assert [finding.outcome for finding in judge(*parts)] == ["not_applicable"]
    assert [finding.outcome for finding in judge(*parts, scopes=EVERYWHERE)] == ["violated"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("```yaml\nAWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n```", "CloudFormation"),
        ('```json\n{"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}\n```', "CloudFormation"),
        ("```yaml\napiVersion: v1\nkind: Pod\n```", "Kubernetes manifests"),
        ("apiVersion: v1\nkind: Pod\n", "Kubernetes manifests"),
        ("```python\nimport pulumi_aws as aws\n```", "Pulumi"),
        ("```bicep\nresource sa 'Microsoft.Storage/storageAccounts@2022-09-01' = {\n}\n```", "Azure templates"),
    ],
)
def test_other_infrastructure_code_is_never_upheld(text: str, language: str) -> None:
    (finding,) = judge(Text(text))
    assert finding.outcome == "inconclusive"
    assert language in finding.reason


@pytest.mark.parametrize("text", ["", "Hello.", "```python\nprint(1)\n```", "The resource is a bucket.", "{}"])
def test_other_text_is_not_applicable(text: str) -> None:
    assert [finding.outcome for finding in judge(Text(text))] == ["not_applicable"]


@pytest.mark.parametrize("broken", ['resource "aws_s3_bucket" "x" {\n  bucket = \n', "variable {{{ \n", BUCKET[:-2]])
def test_a_broken_block_hides_no_other(broken: str) -> None:
    assert outcome("public-storage", broken + OPEN) == "violated"
    assert outcome("public-storage", OPEN + broken) == "violated"
    found = judge(Text(broken + OPEN, "main.tf"))
    lines = [finding.spans[0].line for finding in found if finding.outcome == "violated"]
    assert lines == [broken.count("\n") + 3]


def test_upheld_needs_the_whole_file() -> None:
    private = OPEN.replace("public-read", "private")
    assert outcome("public-storage", private) == "upheld"
    assert outcome("public-storage", private + 'resource "aws_s3_bucket_acl" "c" {\n  acl = ') == "inconclusive"
    assert outcome("public-storage", 'resource "aws_s3_bucket_acl" "c" {\n  acl = ') == "inconclusive"
    assert outcome("public-database", 'resource "aws_s3_bucket_acl" "c" {\n  acl = ') == "not_applicable"


def test_what_is_missing_in_a_damaged_block_is_unknown() -> None:
    program = 'resource "aws_db_instance" "d" {\n  engine = = "x"\n  storage_encrypted true\n}\n'
    assert outcome("unencrypted-at-rest", program) == "inconclusive"


def test_no_number_of_unknowns_hides_a_violation() -> None:
    unknown = "".join(f'resource "aws_s3_bucket_acl" "u{i}" {{\n  acl = var.acl\n}}\n' for i in range(100))
    found = judge(Text(unknown + OPEN, "main.tf"))
    assert found[0].outcome == "violated"
    assert len(found) == 101


def test_a_file_that_is_too_large_is_not_read() -> None:
    program = "# " + "x" * MAX_CHARACTERS + "\n" + OPEN
    assert outcome("public-storage", program) == "inconclusive"


def test_a_gulf_of_blanks_is_not_read() -> None:
    assert outcome("public-storage", OPEN + " " * 300 + "\n") == "inconclusive"
    assert outcome("public-storage", OPEN + "\n" * 200) == "violated"
    # What stands beside it is.
    for gulf in (" " * 300, '  a = "' + "${" * 100, '  a = "' + "%{ " * 100):
        damaged = 'resource "aws_s3_bucket_acl" "c" {\n' + gulf + "\n}\n"
        assert outcome("public-storage", damaged) == "inconclusive"
        assert outcome("public-storage", damaged + OPEN) == "violated"
        assert outcome("public-storage", OPEN + damaged) == "violated"


def test_offsets_are_characters_whatever_the_text_is_made_of() -> None:
    (block,) = parse("# ✓ 𝔘nicode\n" + BUCKET).blocks
    assert ("# ✓ 𝔘nicode\n" + BUCKET)[block.start : block.end] == BUCKET.strip()


def test_the_outline_of_an_answer() -> None:
    exchange = ask("a bucket").with_answer(f"```hcl\n{BUCKET}{OPEN}```\n")
    assert outline(exchange).addresses == {"aws_s3_bucket.b", "aws_s3_bucket_acl.b"}
    assert not outline(exchange).broken
    assert outline(ask("x").with_answer('resource "a_b" "c" {\n  d = \n}')).broken
    assert outline(Exchange((Message("user", (Text(OPEN),)),))).addresses == frozenset()


@pytest.mark.parametrize(
    "text",
    ['resource "aws\\u005fs3_bucket_acl" "i" {\n  acl = "public-read"\n}\n# ' + "x" * 1_000_000, "a {" * 300_000],
    ids=["a name in disguise", "nothing but openings"],
)
def test_a_program_that_is_too_much_to_read_is_inconclusive(text: str) -> None:
    assert outcome("public-storage", text) == "inconclusive"


@pytest.mark.parametrize(
    ("name", "source", "undecided"),
    [
        ("invoices", "acme/s3-bucket/aws", {"public-storage"}),
        ("bucket", "./modules/x", {"public-storage"}),
        ("db", "acme/rds/aws", {"public-database", "unencrypted-at-rest"}),
        ("bastion_sg", "./modules/x", {"open-admin-ingress"}),
        ("deployer", "acme/iam/aws", {"wildcard-action"}),
        ("network", "acme/vpc/aws", set()),
    ],
)
def test_module_calls_that_speak_of_what_a_rule_judges_are_inconclusive(
    name: str, source: str, undecided: set[str]
) -> None:
    program = f'module "{name}" {{\n  source = "{source}"\n  acl = "public-read"\n}}\n'
    for rule in RULES.keys() - {"plain-text-secret", "unpinned-source"}:  # which read every call
        assert outcome(rule, program) == ("inconclusive" if rule in undecided else "not_applicable")


def test_the_place_of_what_cannot_be_read() -> None:
    program = 'resource "aws_s3_bucket" "a" {}\n\nresource "aws_db_instance" "b" {\n  engine = = "x"\n}\n'
    found = findings("terraform", ["unencrypted-at-rest"], program, "main.tf")
    assert [finding.spans[0].line for finding in found if finding.outcome == "inconclusive"] == [3]
