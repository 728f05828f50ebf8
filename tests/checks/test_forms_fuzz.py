"""Whatever a text is, reading it in another form never raises."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from lawspeaker.checks.terraform.commands import command_module
from lawspeaker.checks.terraform.plan import plan
from lawspeaker.checks.terraform.templates import cloudformation
from lawspeaker.checks.text.patches import patched, patches
from tests.checks.judged import findings

_COMMAND = st.lists(
    st.sampled_from([
        "aws ", "s3api ", "put-bucket-acl ", "ec2 authorize-security-group-ingress ", "--ip-permissions ", "--acl ",
        "gcloud ", "compute firewall-rules ", "create ", "--allow ", "tcp:22 ", "gsutil ", "acl ch ", "-u ", "iam ch ",
        "az ", "storage container ", "network nsg rule ", "--public-access ", "'", '"', "\\", "\n", ";", "$X ", "=",
        "{}", "[]", "iam ", "put-role-policy ", "--policy-document ", "file://x ", "lambda ", "add-permission ", ":",
        ",",
    ]),
    max_size=30,
).map("".join)  # fmt: skip
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["resource_changes", "change", "after", "after_unknown", "address", "type", "name", "values",
                         "root_module", "configuration", "resources", "Resources", "Type", "Properties", "Policies",
                         "expressions", "references", "index", "module_address"]),
        inner,
        max_size=4,
    ),
    max_leaves=25,
)  # fmt: skip
_PATCH = st.lists(
    st.sampled_from(["--- a/x.tf\n", "+++ b/x.tf\n", "@@ -1 +1 @@\n", " a\n", "-a\n", "+b\n", "*** Update File: y.tf\n",
                     "\\ No newline\n", "\r\n", "diff --git a b\n"]),
    max_size=20,
).map("".join)  # fmt: skip


@settings(max_examples=200)
@given(_COMMAND)
def test_commands(text: str) -> None:
    command_module(text)
    findings("terraform", ["public-storage", "open-admin-ingress", "wildcard-action"], text)


@settings(max_examples=200)
@given(_PLAIN)
def test_plans_and_templates(data: object) -> None:
    text = json.dumps({"resource_changes": data, "Resources": data, "Type": "AWS::S3::Bucket"})
    plan(text)
    cloudformation(text)
    findings("terraform", ["public-storage"], text)


@settings(max_examples=200)
@given(_PATCH, st.text("ab\n", max_size=20))
def test_patches(text: str, original: str) -> None:
    for patch in patches(text):
        patched(original, patch)
    findings("terraform", ["public-storage"], text)
