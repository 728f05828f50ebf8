"""Identity: permissions that name every action."""

import re
from collections.abc import Iterator
from typing import Final

from lawspeaker.checks.secrets.kind import shown
from lawspeaker.checks.terraform.module import Body, Module, Resource
from lawspeaker.checks.terraform.policy import DOCUMENT, Statement, of_document, statements
from lawspeaker.checks.terraform.values import Unknown, Value, leaves, targets_of
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, nested, undecided, violated

_POLICIES: Final = (
    "aws_iam_policy",
    "aws_iam_role_policy",
    "aws_iam_user_policy",
    "aws_iam_group_policy",
    "aws_ssoadmin_permission_set_inline_policy",
)
_ATTACHMENTS: Final = (
    "aws_iam_role_policy_attachment",
    "aws_iam_user_policy_attachment",
    "aws_iam_group_policy_attachment",
    "aws_iam_policy_attachment",
    "aws_iam_role_policy_attachments_exclusive",
    "aws_iam_user_policy_attachments_exclusive",
    "aws_iam_group_policy_attachments_exclusive",
    "aws_ssoadmin_managed_policy_attachment",
)
_RESOURCE_POLICIES: Final = ("aws_sqs_queue_policy", "aws_sns_topic_policy", "aws_sqs_queue", "aws_sns_topic")
_GOOGLE_GRANTS: Final = tuple(
    f"google_{level}_iam_{form}" for level in ("project", "folder", "organization") for form in ("member", "binding")
)
_BASIC_ROLES: Final = ("roles/owner", "roles/editor")
# At the level of a project and above they lend every service account in it.
_LENDING_ROLES: Final = ("roles/iam.serviceAccountUser", "roles/iam.serviceAccountTokenCreator")
_AZURE_ALL: Final = frozenset(
    {
        "*",
        *(
            f"microsoft.authorization/{what}"
            for what in ("*", "*/write", "roledefinitions/write", "roleassignments/*", "roleassignments/write")
        ),
    }
)
_AZURE_OWNERS: Final = ("Owner", "User Access Administrator")
_SUBSCRIPTION: Final = re.compile(r"/|/subscriptions/[^/]+/?|/providers/Microsoft\.Management/managementGroups/[^/]+/?")
_SUBSCRIPTIONS: Final = re.compile(r"(?:data\.)?azurerm_(?:subscription|management_group)\.")
_KUBERNETES_ROLES: Final = tuple(
    f"kubernetes_{scope}role{version}" for scope in ("", "cluster_") for version in ("", "_v1")
)
_KUBERNETES_BINDINGS: Final = tuple(
    f"kubernetes_{scope}role_binding{version}" for scope in ("", "cluster_") for version in ("", "_v1")
)
_ADMINISTRATOR: Final = "iam::aws:policy/AdministratorAccess"
# A service in part or an action in nothing but wildcards: `?` is one like `*`, so `s3:?*` is every action of S3.
_WILDCARD: Final = re.compile(r"[^:]*[*?][^:]*(?::.*)?|[^:]*:[*?]+", re.DOTALL)


def policies(module: Module) -> Iterator[Verdict]:
    """A policy for a user, group or role."""
    for resource in module.of(*_POLICIES):
        name = "inline_policy" if resource.type.startswith("aws_ssoadmin") else "policy"
        yield from each(resource, _policy(resource, resource, name, module))
    for resource in module.of("aws_iam_role"):
        inline = resource.children("inline_policy")
        for body in inline:
            yield from each(resource, _policy(resource, body, "policy", module))


def documents(module: Module) -> Iterator[Verdict]:
    """A policy document. One with principals belongs to a resource (a key, a bucket), where every action on
    that one resource is the documented way to hand it to its account."""
    attached = {target for resource in module.of(*_POLICIES) for target in targets_of(resource.get("policy"))}
    for resource in module.of(DOCUMENT):
        found = of_document(resource, module)
        yield from each(resource, _judge(resource, found, whoever=resource.address in attached))


def queue_policies(module: Module) -> Iterator[Verdict]:
    """The policy of a queue or topic, where nothing needs every action."""
    for resource in module.of(*_RESOURCE_POLICIES):
        if resource.get("policy") is not None:
            found = statements(resource.get("policy"), resource.at("policy"), module)
            yield from each(resource, _judge(resource, found, whoever=True))


def attachments(module: Module) -> Iterator[Verdict]:
    """AWS's own AdministratorAccess, attached or managed by a role."""
    for resource in module.of(*_ATTACHMENTS, "aws_iam_role"):
        names = ("policy_arn", "managed_policy_arn", "managed_policy_arns", "policy_arns")
        given = [(name, leaf) for name in names for leaf in leaves(resource.get(name)) if leaf is not None]
        if given:
            yield from each(
                resource, (verdict for name, leaf in given for verdict in _attached(resource, name, leaf, module))
            )


def azure_roles(module: Module) -> Iterator[Verdict]:
    """An Azure role of one's own that allows `*`, or to write roles, with which its holder allows itself the rest."""
    for resource in module.of("azurerm_role_definition"):
        wrong = (
            violated(resource, "the role allows every action, or to allow itself every action", body.at("actions"))
            for body in nested(resource, ("permissions",))
            if not _AZURE_ALL.isdisjoint(leaf.lower() for leaf in leaves(body.get("actions")) if isinstance(leaf, str))
        )
        yield from each(resource, wrong)


def azure_assignments(module: Module) -> Iterator[Verdict]:
    """An owner of a whole subscription, or whoever may make owners of it."""
    for resource in module.of("azurerm_role_assignment"):
        scope = resource.get("scope")
        wide = (isinstance(scope, str) and _SUBSCRIPTION.fullmatch(scope)) or any(
            _SUBSCRIPTIONS.match(target) for target in targets_of(scope)
        )
        role = resource.get("role_definition_name")
        wrong = [violated(resource, f"{role} of all that there is", resource.at("role_definition_name"))]
        yield from each(resource, iter(wrong if wide and role in _AZURE_OWNERS else []))


def google_policies(module: Module) -> Iterator[Verdict]:
    """The whole policy of a project, folder or organisation, with a binding of a basic role."""
    for level in ("project", "folder", "organization"):
        for resource in module.of(f"google_{level}_iam_policy"):
            sources = [found for target in targets_of(resource.get("policy_data")) for found in module.all_at(target)]
            wrong = (
                violated(resource, f"{shown(str(binding.get('role')))} allows nearly every action", binding.at("role"))
                for source in sources
                for binding in source.children("binding")
                if binding.get("role") in (*_BASIC_ROLES, *_LENDING_ROLES)
            )
            yield from each(resource, wrong)


def google_roles(module: Module) -> Iterator[Verdict]:
    """Google's basic roles, which hold thousands of permissions, and those that lend all accounts of a project."""
    for type in _GOOGLE_GRANTS:
        for resource in module.of(type):
            role = resource.get("role")
            what = "lends every service account" if role in _LENDING_ROLES else "allows nearly every action"
            wrong = [violated(resource, f"{shown(str(role))} {what}", resource.at("role"))]
            yield from each(resource, iter(wrong if role in (*_BASIC_ROLES, *_LENDING_ROLES) else []))
    for resource in module.of("google_container_cluster"):
        if resource.get("enable_legacy_abac") in (True, "true"):
            yield violated(resource, "every service account may do everything in it", resource.at("enable_legacy_abac"))


def kubernetes_roles(module: Module) -> Iterator[Verdict]:
    """Kubernetes: roles that name every verb or every resource, and bindings of `cluster-admin`."""
    for resource in module.of(*_KUBERNETES_ROLES):
        wrong = (
            violated(resource, f"a rule of the role allows {what}", body.at(name))
            for body in resource.children("rule")
            for name, what in (("verbs", "every verb"), ("resources", "its verbs on every resource"))
            if "*" in leaves(body.get(name))
        )
        yield from each(resource, wrong)
    for resource in module.of(*_KUBERNETES_BINDINGS):
        bound = [body for body in resource.children("role_ref") if body.get("name") == "cluster-admin"]
        yield from each(resource, (violated(resource, "cluster-admin allows everything", body.place) for body in bound))


def held_policies(module: Module) -> Iterator[tuple[Resource, Iterator[Statement | Unknown]]]:
    """Every policy of the module that a user, group or role holds, with its statements; one that lies in a document is
    told of there."""
    for resource in module.of(*_POLICIES):
        name = "inline_policy" if resource.type.startswith("aws_ssoadmin") else "policy"
        if not _in_document(resource.get(name), module):
            yield resource, statements(resource.get(name), resource.at(name), module)
    for resource in module.of("aws_iam_role"):
        for body in resource.children("inline_policy"):
            if not _in_document(body.get("policy"), module):
                yield resource, statements(body.get("policy"), body.at("policy"), module)
    for resource in module.of(DOCUMENT):
        yield resource, of_document(resource, module)


RULE: Final = Rule(
    "wildcard-action",
    (
        policies,
        documents,
        queue_policies,
        attachments,
        azure_roles,
        azure_assignments,
        google_roles,
        google_policies,
        kubernetes_roles,
    ),
    r"aws_(?:iam|ssoadmin|sqs|sns)_|azurerm_role_(?:definition|assignment)\b|google_\w+_iam_|kubernetes_(?:cluster_)?role",
    r"\biam|iam\b|polic(y|ies)|\broles?\b",
    doc=(
        "Policies must name the actions that are needed: no `*`, no whole service, no `NotAction` that allows "
        "the rest, no AdministratorAccess. Roles of Kubernetes must name their verbs and resources."
    ),
    violating="""data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["s3:*"]
    resources = ["arn:aws:s3:::acme-uploads/*"]
  }
}
""",
    complying="""data "aws_iam_policy_document" "d" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::acme-uploads/*"]
  }
}
""",
)


def _attached(resource: Resource, name: str, policy: Value, module: Module) -> Iterator[Verdict]:
    sources = [
        source.get("name")
        for target in targets_of(policy)
        if target.startswith("data.aws_iam_policy.")
        for source in module.all_at(target)
    ]
    last = policy.parts[-1] if isinstance(policy, Unknown) and policy.parts else policy
    if "AdministratorAccess" in sources or (isinstance(last, str) and last.endswith(_ADMINISTRATOR)):
        yield violated(resource, "AdministratorAccess allows every action", resource.at(name))
    elif isinstance(policy, Unknown) and not isinstance(last, str) and policy.is_input:
        yield undecided(resource, "which policy is attached", policy, resource.at(name))


def _policy(resource: Resource, body: Body, name: str, module: Module) -> Iterator[Verdict]:
    value = body.get(name)
    if value is None or _in_document(value, module):
        return  # the document is judged where it stands
    yield from _judge(resource, statements(value, body.at(name), module))


def _in_document(value: Value, module: Module) -> bool:
    sources = map(module.at, targets_of(value))
    return any(source is not None and source.type == DOCUMENT for source in sources)


def _judge(resource: Resource, found: Iterator[Statement | Unknown], *, whoever: bool = False) -> Iterator[Verdict]:
    """What is wrong with statements; those that name principals count with `whoever` only."""
    for statement in found:
        if isinstance(statement, Unknown):
            if statement.is_input or not statement.targets:
                yield undecided(resource, "which actions the policy allows", statement)
        elif statement.allows and (whoever or statement.principals is None):
            yield from _statement(resource, statement)


def _statement(resource: Resource, statement: Statement) -> Iterator[Verdict]:
    if statement.not_actions is not None:
        yield violated(resource, "a statement allows all actions but a few", statement.place)
    for leaf in leaves(statement.actions):
        if isinstance(leaf, Unknown):
            # Whatever a part of it is, the rest may be enough.
            shape = "".join(part if isinstance(part, str) else "x" for part in leaf.parts)
            if shape and _WILDCARD.fullmatch(shape):
                yield violated(resource, f"a statement allows {_allowed(shape)}", statement.place)
            elif not leaf.known or (leaf.is_input and not isinstance(leaf.parts[-1], str)):
                yield undecided(resource, "which actions the policy allows", leaf, statement.place)
        elif isinstance(leaf, str) and _WILDCARD.fullmatch(leaf):
            yield violated(resource, f"a statement allows {_allowed(leaf)}", statement.place)


def _allowed(action: str) -> str:
    """What the wildcard `action` allows, in words."""
    service = action.partition(":")[0]
    if not action.strip("*?:"):
        return "every action"
    return "actions of whole groups of services" if set("*?") & set(service) else f"every action of {shown(service)}"
