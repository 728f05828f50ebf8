"""Modules in folders of the program itself are followed, with the inputs of the call."""

import time

import pytest

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.local import roots
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.exchange import Text
from lawspeaker.finding import Finding, Outcome, combine
from tests.checks.judged import ANSWER, answer

STORE = """variable "acl" {}
variable "name" { default = "b" }
resource "aws_s3_bucket" "b" {
  bucket = var.name
}
resource "aws_s3_bucket_acl" "b" {
  bucket = aws_s3_bucket.b.id
  acl    = var.acl
}
output "bucket" { value = aws_s3_bucket.b.id }
output "fixed" { value = "public-read" }
"""
BLOCK = """resource "aws_s3_bucket_public_access_block" "x" {
  bucket            = module.store.bucket
  block_public_acls = true
}
"""


def call(source: str, inputs: str = "", name: str = "store") -> str:
    return f'module "{name}" {{\n  source = "{source}"\n  {inputs}\n}}\n'


def found(rule: str, files: dict[str, str]) -> list[Finding]:
    exchange = answer(*(Text(text, name) for name, text in files.items()))
    return list(KINDS["terraform"].prepare([rule], "p").examine(exchange, ANSWER))


def outcome(rule: str, **files: str) -> Outcome:
    named = {name.replace("__", "/") + ".tf": text for name, text in files.items()}
    return combine(finding.outcome for finding in found(rule, named))


PUBLIC = call("./modules/store", 'acl = "public-read"')


def test_inputs_reach_the_module_and_the_place_is_in_its_file() -> None:
    files = {"infra/main.tf": PUBLIC, "infra/modules/store/main.tf": STORE}
    (finding,) = found("public-storage", files)
    assert finding.outcome == "violated"
    assert finding.reason.startswith("aws_s3_bucket_acl.store/b: the ACL lets everyone")
    assert (finding.spans[0].part, finding.spans[0].line) == (1, 8)
    private = {**files, "infra/main.tf": PUBLIC.replace("public-read", "private")}
    assert combine(finding.outcome for finding in found("public-storage", private)) == "upheld"
    # By itself, nobody knows what the variable is.
    assert outcome("public-storage", modules__store__main=STORE) == "inconclusive"


@pytest.mark.parametrize("source", ["./modules/store", "./modules/../modules/store/", "../infra/modules/store"])
def test_a_folder_has_more_than_one_way_to_it(source: str) -> None:
    files = {"infra/main.tf": call(source, 'acl = "public-read"'), "./infra/modules/store/a.tf": STORE}
    assert combine(finding.outcome for finding in found("public-storage", files)) == "violated"


def test_defaults_hold_where_the_call_says_nothing_and_files_of_variables_are_the_programs_own() -> None:
    module = STORE.replace('"acl" {}', '"acl" { default = "private" }')
    assert outcome("public-storage", main=call("./m"), m__main=module) == "upheld"
    files = {"main.tf": call("./m"), "m/main.tf": module, "m/terraform.tfvars": 'acl = "public-read"\n'}
    assert combine(finding.outcome for finding in found("public-storage", files)) == "upheld"


def test_outputs_are_known_to_the_caller_and_to_other_calls() -> None:
    called = call("./m", 'acl = "public-read"')
    assert outcome("public-storage", main=called, m__main=STORE) == "violated"
    assert outcome("public-storage", main=called + BLOCK, m__main=STORE) == "upheld"
    assert outcome("missing-access-block", main=called, m__main=STORE) == "violated"
    assert outcome("missing-access-block", main=called + BLOCK, m__main=STORE) == "upheld"
    chained = call("./m", "acl = module.first.fixed") + call("./m", 'acl = "private"', "first")
    assert outcome("public-storage", main=chained, m__main=STORE) == "violated"


def test_two_calls_of_one_module_are_two_buckets() -> None:
    both = call("./m", 'acl = "public-read"', "one") + call("./m", 'acl = "public-read"', "two")
    block = BLOCK.replace("module.store", "module.one")
    reasons = {finding.reason.partition(":")[0] for finding in found(
        "public-storage", {"main.tf": both + block, "m/main.tf": STORE}) if finding.outcome == "violated"}  # fmt: skip
    assert reasons == {"aws_s3_bucket_acl.two/b"}


def test_a_resource_of_the_caller_is_not_the_modules_own_of_the_same_name() -> None:
    own = STORE.replace('"acl" {}', '"acl" { default = "private" }')
    program = own + BLOCK.replace("module.store.bucket", "aws_s3_bucket.b.id") + call("./m", 'acl = "public-read"')
    assert outcome("public-storage", main=program, m__main=STORE) == "violated"


def test_modules_in_modules_loops_and_counts() -> None:
    middle = 'variable "open" {}\n' + call("../store", "acl = var.open")
    files = {
        "a/main.tf": call("./middle", 'open = "public-read"'),
        "a/middle/main.tf": middle,
        "a/store/main.tf": STORE,
    }
    (finding,) = found("public-storage", files)
    assert finding.reason.startswith("aws_s3_bucket_acl.store/store/b:")
    loop = call("./m", 'for_each = { a = "private", b = "public-read" }\n  acl = each.value')
    assert outcome("public-storage", main=loop, m__main=STORE) == "violated"
    assert outcome("public-storage", main=call("./m", 'count = 0\n  acl = "public-read"'), m__main=STORE) != "violated"


def test_what_was_not_given_is_not_followed() -> None:
    assert outcome("public-storage", main=call("../elsewhere/bucket")) == "inconclusive"
    assert outcome("public-storage", main=call("/etc/bucket")) == "inconclusive"
    assert outcome("public-storage", main=call("var.bucket").replace('"var.bucket"', "var.bucket")) == "inconclusive"


def test_folders_that_call_each_other_or_themselves_end_and_are_judged() -> None:
    public = 'resource "aws_s3_bucket_acl" "p" {\n  acl = "public-read"\n}\n'
    for source in ("./", "./.", "../a", "../a/../a"):
        assert outcome("public-storage", a__main=call(source) + public) == "violated"
    ring = {f"r{n}/main.tf": call(f"../r{(n + 1) % 5}", name=f"m{n}") for n in range(5)}
    ring["r3/main.tf"] += public
    assert combine(finding.outcome for finding in found("public-storage", ring)) == "violated"


def test_calls_that_multiply_end_in_unknown() -> None:
    files = {
        f"m{n}/main.tf": "".join(call(f"../m{n + 1}", 'acl = "private"', f"c{k}") for k in range(8)) for n in range(8)
    }
    files["m8/main.tf"] = STORE
    began = time.process_time()
    assert combine(finding.outcome for finding in found("public-storage", files)) == "inconclusive"
    assert time.process_time() - began < 5


def test_which_folders_are_judged_by_themselves() -> None:
    assert roots({"a": ["b"], "b": ["c"], "c": [], "d": ["c"]}) == {"a": ["b", "c"], "d": ["c"]}
    assert roots({"a": ["a"], "b": ["c"], "c": ["b"]}) == {"a": [], "b": ["c"]}


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_stumbles_over_a_followed_module(rule: str) -> None:
    files = {"main.tf": PUBLIC + RULES[rule].violating, "modules/store/main.tf": STORE + RULES[rule].complying}
    assert combine(finding.outcome for finding in found(rule, files)) == "violated"
