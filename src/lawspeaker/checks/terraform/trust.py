"""Trust: who may use a role, key, queue or function, where that is anybody, or anybody's instance of a service."""

from collections.abc import Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.module import Module, Resource
from lawspeaker.checks.terraform.policy import Statement, statements
from lawspeaker.checks.terraform.switches import NEVER
from lawspeaker.checks.terraform.values import Unknown, leaves
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, undecided, violated

_EVERYONE: Final = ("allUsers", "allAuthenticatedUsers")
_POLICIES: Final = {
    "aws_kms_key": "policy",
    "aws_kms_key_policy": "policy",
    "aws_sqs_queue": "policy",
    "aws_sqs_queue_policy": "policy",
    "aws_sns_topic": "policy",
    "aws_sns_topic_policy": "policy",
    "aws_cloudwatch_event_bus_policy": "policy",
    "aws_efs_file_system_policy": "policy",
}
# Services that act for whoever owns the bucket, topic or rule: without the source, that is any account.
_FOR_ANYBODY: Final = ("s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com", "apigateway.amazonaws.com",
                       "logs.amazonaws.com", "iot.amazonaws.com", "ses.amazonaws.com")  # fmt: skip
# Issuers that everybody can have a token of: the subject says whose it is.
_SHARED_ISSUERS: Final = ("token.actions.githubusercontent.com", "app.terraform.io", "gitlab.com", "oidc.circleci.com")
_GOOGLE: Final = tuple(
    f"google_{kind}_iam_{form}"
    for kind in ("project", "folder", "organization", "service_account", "kms_crypto_key", "kms_key_ring",
                 "pubsub_topic", "pubsub_subscription", "secret_manager_secret", "artifact_registry_repository")
    for form in ("member", "binding")
)  # fmt: skip


def roles(module: Module) -> Iterator[Verdict]:
    """A role that everybody may assume, or every holder of a token of a shared issuer."""
    for resource in module.of("aws_iam_role"):
        found = statements(resource.get("assume_role_policy"), resource.at("assume_role_policy"), module)
        yield from each(resource, _trusting(resource, found))


def resource_policies(module: Module) -> Iterator[Verdict]:
    """A key, queue, topic, bus or file system whose policy allows everybody."""
    for type, name in _POLICIES.items():
        for resource in module.of(type):
            if resource.get(name) is not None:
                yield from each(
                    resource, _trusting(resource, statements(resource.get(name), resource.at(name), module))
                )


def lambda_permissions(module: Module) -> Iterator[Verdict]:
    """A function that everybody may call, or a service on behalf of any account."""
    for resource in module.of("aws_lambda_permission"):
        yield from each(resource, _permission(resource))


def google_members(module: Module) -> Iterator[Verdict]:
    """A role for everybody on a project, key, topic, secret or account."""
    for resource in module.of(*_GOOGLE):
        given = [(name, leaf) for name in ("member", "members") for leaf in leaves(resource.get(name))]
        wrong = (violated(resource, "the role is everybody's", resource.at(name)) for name, leaf in given
                 if leaf in _EVERYONE)  # fmt: skip
        yield from each(resource, wrong)


def google_pools(module: Module) -> Iterator[Verdict]:
    """A provider of outside identities without a condition lets in whoever the issuer knows."""
    for resource in module.of("google_iam_workload_identity_pool_provider"):
        condition = resource.get("attribute_condition")
        wrong = [violated(resource, "it accepts every identity that the issuer knows")]
        yield from each(resource, iter(wrong if condition in (None, "") else []))


RULE: Final = Rule(
    "open-trust",
    (roles, resource_policies, lambda_permissions, google_members, google_pools),
    r"aws_(?:iam_role|kms_key|sqs_|sns_|lambda_permission|cloudwatch_event_bus|efs_file_system_policy)|"
    r"google_\w+_iam_|google_iam_workload",
    NEVER,
    doc=(
        "Whoever may assume a role, use a key, queue or topic, or call a function must be named. Everybody (`*`), a "
        "shared identity issuer without a condition on the subject, and a service without its source are not named."
    ),
    violating="""resource "aws_iam_role" "partner" {
  assume_role_policy = jsonencode({
    Statement = [{ Effect = "Allow", Principal = { AWS = "*" }, Action = "sts:AssumeRole" }]
  })
}
""",
    complying="""resource "aws_iam_role" "partner" {
  assume_role_policy = jsonencode({
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::111122223333:role/partner" }
      Action    = "sts:AssumeRole"
    }]
  })
}
""",
)


def _trusting(resource: Resource, found: Iterator[Statement | Unknown]) -> Iterator[Verdict]:
    for statement in found:
        if isinstance(statement, Unknown):
            if statement.is_input:
                yield undecided(resource, "whom it trusts", statement)
            continue
        everyone = statement.for_everyone
        if isinstance(everyone, Unknown):
            yield undecided(resource, "whom it trusts", everyone, statement.place)
        elif everyone:
            yield violated(resource, "it trusts everybody", statement.place)
        elif statement.allows and _shared_issuer(statement):
            yield violated(resource, "it trusts every holder of a token of a shared issuer", statement.place)


def _shared_issuer(statement: Statement) -> bool:
    """Whether it trusts an issuer that everybody can have a token of, and does not ask for the subject."""
    principals = statement.principals
    if not isinstance(principals, Mapping) or not isinstance(statement.condition, Mapping):
        return False
    issuers = [leaf for leaf in leaves(principals.get("Federated")) if isinstance(leaf, str)]
    if not any(issuer.endswith(_SHARED_ISSUERS) for issuer in issuers):
        return False
    asked = [keys for keys in statement.condition.values() if isinstance(keys, Mapping)]
    if len(asked) < len(statement.condition):
        return False  # part of the condition is not known
    subjects = [
        values for keys in asked for key, values in keys.items() if key.lower().endswith((":sub", ":project_id"))
    ]
    return not subjects or any(leaf == "*" for values in subjects for leaf in leaves(values))


def _permission(resource: Resource) -> Iterator[Verdict]:
    principal = resource.get("principal")
    limits = [resource.get(name) for name in ("source_arn", "source_account", "principal_org_id")]
    if any(limit not in (None, "") for limit in limits) or resource.get("function_url_auth_type") not in (None, ""):
        return
    if isinstance(principal, Unknown) and principal.is_input:
        yield undecided(resource, "who may call the function", principal, resource.at("principal"))
    elif principal == "*":
        yield violated(resource, "everybody may call the function", resource.at("principal"))
    elif principal in _FOR_ANYBODY:
        yield violated(resource, "the service may call the function for any account", resource.at("principal"))
