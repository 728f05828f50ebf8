"""The modules `iam` and `kms`: who may do what, and who holds a key."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.module import Resource
from lawspeaker.checks.terraform.policy import DOCUMENT
from lawspeaker.checks.terraform.values import Unknown, Value

Drawing = Iterator[tuple[str, Mapping[str, Value], Mapping[str, str]]]

_ADMINISTRATOR: Final = "arn:aws:iam::aws:policy/AdministratorAccess"
_HOLDERS: Final = ("key_owners", "key_administrators", "key_users", "key_service_users",
                   "key_symmetric_encryption_users", "key_hmac_users", "key_asymmetric_public_encryption_users",
                   "key_asymmetric_sign_verify_users")  # fmt: skip


def key(call: Resource, name: str) -> Drawing:
    """`kms`: a policy of one's own takes the place of what the other inputs say."""
    policy = call.get("policy")
    if policy is not None:
        yield "aws_kms_key", {"policy": policy}, {}
        return
    held = [(at, call.get(at)) for at in _HOLDERS]
    written: tuple[Value, ...] = tuple(
        {"actions": ("kms:*",), "resources": ("*",), "principals": ({"type": "AWS", "identifiers": value},)}
        for _, value in held
        if value is not None and value != ()
    )
    yield "aws_kms_key", {"policy": _at(name)}, {"policy": "key_statements"}
    more = {at: value for at in ("source_policy_documents", "override_policy_documents")
            if (value := call.get(at)) is not None}  # fmt: skip
    yield DOCUMENT, {"statement": (*written, *_statements(call.get("key_statements"))), **more}, {}


def _policy(call: Resource, name: str) -> Drawing:
    yield "aws_iam_policy", {"policy": call.get("policy")}, {}


def _role(call: Resource, name: str) -> Drawing:
    """`iam-assumable-role`: whom it trusts by a list of names, and AWS's policy for administrators by a switch."""
    arns = _list(call.get("custom_role_policy_arns"))
    admin = call.get("attach_admin_policy")
    if admin in (True, "true"):
        given = call.get("admin_role_policy_arn")
        arns = (*arns, _ADMINISTRATOR if given is None else given)
    trust = call.get("custom_role_trust_policy")
    yield (
        "aws_iam_role",
        {
            "assume_role_policy": _trust(call) if trust in (None, "") else trust,
            **({"managed_policy_arns": arns} if arns else {}),
        },
        {
            "assume_role_policy": "trusted_role_arns" if trust in (None, "") else "custom_role_trust_policy",
            "managed_policy_arns": "custom_role_policy_arns" if admin is None else "attach_admin_policy",
        },
    )


def _trust(call: Resource) -> Value:
    outside = call.get("role_sts_externalid")
    condition: Mapping[str, Value] = {"StringEquals": {"sts:ExternalId": outside}} if outside else {}
    principals = {"AWS": call.get("trusted_role_arns"), "Service": call.get("trusted_role_services")}
    given = {type: value for type, value in principals.items() if value is not None}
    statement: Value = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": given, "Condition": condition}
    return {"Statement": (statement,)}


def _new_role(call: Resource, name: str) -> Drawing:
    """`iam-role`: trust as statements, policies by their ARNs, and one policy of its own."""
    arns = call.get("policies")
    values: dict[str, Value] = {"assume_role_policy": _at(name)}
    if arns is not None:
        values["managed_policy_arns"] = tuple(arns.values()) if isinstance(arns, Mapping) else arns
    yield "aws_iam_role", values, {"assume_role_policy": "trust_policy_permissions", "managed_policy_arns": "policies"}
    yield DOCUMENT, {"statement": _statements(call.get("trust_policy_permissions"))}, {}
    yield from _permissions(call, "inline_policy_permissions", "aws_iam_role_policy")


def _user(call: Resource, name: str) -> Drawing:
    for at in ("policy_arns", "policies"):
        given = call.get(at)
        if given is not None:
            arns = tuple(given.values()) if isinstance(given, Mapping) else given
            yield "aws_iam_user_policy_attachment", {"policy_arn": arns}, {"policy_arn": at}
    yield from _permissions(call, "inline_policy_permissions", "aws_iam_user_policy")


def _group(call: Resource, name: str) -> Drawing:
    for at in ("custom_group_policy_arns", "policies"):
        given = call.get(at)
        if given is not None:
            arns = tuple(given.values()) if isinstance(given, Mapping) else given
            yield "aws_iam_group_policy_attachment", {"policy_arn": arns}, {"policy_arn": at}
    own = call.get("custom_group_policies")
    for item in own if isinstance(own, tuple) else (own,):
        if item is not None:
            policy = item.get("policy") if isinstance(item, Mapping) else item
            yield "aws_iam_group_policy", {"policy": policy}, {"policy": "custom_group_policies"}
    yield from _permissions(call, "permissions", "aws_iam_group_policy")


IDENTITY: Final[Mapping[str, Callable[[Resource, str], Drawing]]] = {
    "iam/iam-policy": _policy,
    "iam/iam-assumable-role": _role,
    "iam/iam-role": _new_role,
    "iam/iam-user": _user,
    "iam/iam-group-with-policies": _group,
    "iam/iam-group": _group,
}


def _permissions(call: Resource, at: str, type: str) -> Drawing:
    """Statements of an input as a policy in JSON's words."""
    found = _statements(call.get(at))
    if not found:
        return
    data = tuple(
        {
            "Effect": item.get("effect") or "Allow",
            "Action": item.get("actions"),
            "NotAction": item.get("not_actions"),
            "Resource": item.get("resources"),
        }
        if isinstance(item, Mapping)
        else item
        for item in found
    )
    yield type, {"policy": {"Statement": data}}, {"policy": at}


def _statements(value: Value) -> tuple[Value, ...]:
    """Statements that an input holds by name or in a list, in the words of a policy document."""
    items = tuple(value.values()) if isinstance(value, Mapping) else _list(value)
    return tuple(
        {**item, "condition": item.get("condition") or item.get("conditions")} if isinstance(item, Mapping) else item
        for item in items
    )


def _list(value: Value) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _at(name: str) -> Unknown:
    """A reference to the policy document that is drawn beside."""
    return Unknown("its policy", (f"{DOCUMENT}.{name}",))
