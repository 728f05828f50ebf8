"""Who holds which policies: those of one role, user or group are added up, since its holder has them all."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.checks.terraform.module import Module, Resource
from lawspeaker.checks.terraform.policy import Statement, statements
from lawspeaker.checks.terraform.values import Unknown, Value, leaves, targets_of

_KINDS: Final = ("role", "user", "group")
_MAX_POLICIES: Final = 50

Policies = list[tuple[Resource, str]]
"""Resources with the attribute that holds the policy."""


def added_up(module: Module) -> Iterator[tuple[Resource, list[Statement | Unknown], bool]]:
    """Each holder of more than one policy of the program, by its last policy, with the statements, and whether these
    are all."""
    for policies in _held(module).values():
        if len(policies) > 1:
            found = [
                statement
                for resource, name in policies[:_MAX_POLICIES]
                for statement in statements(resource.get(name), resource.at(name), module)
            ]
            yield policies[-1][0], found, len(policies) <= _MAX_POLICIES


def _held(module: Module) -> dict[tuple[str, str], Policies]:
    held: dict[tuple[str, str], Policies] = {}
    own = {policy.address: policy for policy in module.of("aws_iam_policy")}
    for kind in _KINDS:
        names = {
            name: repr(("aws_iam_" + kind, holder.name))
            for holder in module.of(f"aws_iam_{kind}")
            if isinstance(name := holder.get("name"), str)
        }
        for resource in module.of(f"aws_iam_{kind}_policy"):
            _add(held, kind, resource.get(kind), names, (resource, "policy"))
        for type, at in ((f"aws_iam_{kind}_policy_attachment", kind), ("aws_iam_policy_attachment", f"{kind}s")):
            for resource in module.of(type):
                for target in targets_of(resource.get("policy_arn")):
                    for holder_name in leaves(resource.get(at)) if target in own else ():
                        _add(held, kind, holder_name, names, (own[target], "policy"))
    return held


def _add(
    held: dict[tuple[str, str], Policies], kind: str, holder: Value, names: dict[str, str], policy: tuple[Resource, str]
) -> None:
    """`policy` for `holder`, if it is certain who that is: by reference, or by its literal name."""
    if isinstance(holder, Unknown):
        key = holder.instance
    else:
        key = names.get(holder, holder) if isinstance(holder, str) else ""
    if key:
        held.setdefault((kind, key), []).append(policy)
