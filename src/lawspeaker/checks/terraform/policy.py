"""AWS policy documents, however they are written: `jsonencode`, JSON in a heredoc, or a data source."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from lawspeaker.checks.terraform.module import Body, Module, Place, Resource
from lawspeaker.checks.terraform.values import Unknown, Value, document, leaves, targets_of

DOCUMENT: Final = "data.aws_iam_policy_document"
_SOURCES: Final = (
    "source_policy_documents",
    "override_policy_documents",
    "source_json",
    "override_json",
    "override_policy_document",
    "source_policy_document",
)
_MAX_SOURCES: Final = 20
_MAX_STATEMENTS: Final = 500
# Condition keys that tie access to somebody; a referer or a transport can be had by everybody.
_NARROWING: Final = (
    "aws:principal",
    "aws:source",
    "aws:resourceorg",
    "aws:resourceaccount",
    "aws:userid",
    "aws:username",
    "aws:vpcsource",
    "aws:calledvia",
    "s3:dataaccesspoint",
    "elasticfilesystem:accessedviamounttarget",
    "kms:calleraccount",
    "lambda:functionurlauthtype",
    "cognito-",
    "sts:externalid",
)
_EVERYWHERE: Final = frozenset({"*", "0.0.0.0/0", "::/0"})


class Statement(msgspec.Struct, frozen=True):
    """One statement. `condition` is a mapping of operators to keys and values, and empty where there is
    none.
    """

    effect: Value
    actions: Value
    not_actions: Value
    resources: Value
    principals: Value
    condition: Value
    place: Place

    @property
    def allows(self) -> bool:
        """Whether it may allow: an effect that is not known counts as Allow, so that it is looked at."""
        return not isinstance(self.effect, str) or self.effect.lower() == "allow"

    @property
    def for_everyone(self) -> bool | Unknown:
        """Whether it allows something to everyone on the internet; unknown says which value decides."""
        if not self.allows or self.principals is None:
            return False
        everyone = _everyone(self.principals)
        if everyone is False:
            return False
        narrowed = _narrowed(self.condition)
        if narrowed is True:
            return False
        return everyone if isinstance(everyone, Unknown) else narrowed or True


def statements(value: Value, place: Place, module: Module) -> Iterator[Statement | Unknown]:
    """The statements of the policy `value`, which is set at `place`, and what of it is unknown."""
    yield from _bounded(_statements(value, place, module, set()))


def of_document(source: Resource, module: Module) -> Iterator[Statement | Unknown]:
    """The statements of an `aws_iam_policy_document`, with those of its sources and overrides."""
    yield from _bounded(_of_document(source, module, {source.address}))


def _bounded(found: Iterator[Statement | Unknown]) -> Iterator[Statement | Unknown]:
    """A policy can be made long by repeating itself; past what AWS accepts, it is not read."""
    yield from itertools.islice(found, _MAX_STATEMENTS)
    if next(found, None) is not None:
        yield Unknown("a very long policy")


def _statements(value: Value, place: Place, module: Module, seen: set[str]) -> Iterator[Statement | Unknown]:
    documents = [address for address in targets_of(value) if address.startswith(f"{DOCUMENT}.") and module.at(address)]
    for address in documents:
        if address not in seen and len(seen) < _MAX_SOURCES:
            seen.add(address)
            for source in module.all_at(address):
                yield from _of_document(source, module, seen)
    if documents:
        if isinstance(value, Unknown) and value.open:
            yield value  # one of them, or something else
        return
    for source in filter(None, map(module.at, targets_of(value))):
        if source.type == "aws_iam_policy" and not (isinstance(value, Unknown) and value.open):
            value = source.get("policy")  # a policy that is attached by its `policy` attribute
            break
    data = document(value)
    if isinstance(data, Mapping):
        items = _element(data, "Statement")
        for item in items if isinstance(items, tuple) else (items,):
            if isinstance(item, Mapping):
                yield _from_json(item, place)
            elif isinstance(item, Unknown):
                yield item
    elif isinstance(data, Unknown):
        yield data


def _of_document(source: Resource, module: Module, seen: set[str]) -> Iterator[Statement | Unknown]:
    for body in source.children("statement"):
        yield _from_block(body)
    for name in _SOURCES:
        value = source.get(name)
        for item in value if isinstance(value, tuple) else (value,):
            if item is not None:
                yield from _statements(item, source.at(name), module, seen)


def _from_json(item: Mapping[str, Value], place: Place) -> Statement:
    return Statement(
        _element(item, "Effect"),
        _element(item, "Action"),
        _element(item, "NotAction"),
        _element(item, "Resource"),
        _element(item, "Principal"),
        _element(item, "Condition") or {},
        place,
    )


def _element(item: Mapping[str, Value], name: str) -> Value:
    """The element `name` of a policy, however it is capitalised: nobody should rely on AWS refusing it."""
    if name in item:
        return item[name]
    return next((value for key, value in item.items() if key.lower() == name.lower()), None)


def _from_block(body: Body) -> Statement:
    """A `statement` block, with its principals and conditions as JSON has them."""
    effect = body.get("effect")
    principals: dict[str, Value] = {}
    for child in body.children("principals"):
        type = child.get("type")
        principals[type if isinstance(type, str) else "AWS"] = child.get("identifiers")
    condition: dict[str, Value] = {}
    for index, child in enumerate(body.children("condition")):
        variable = child.get("variable")
        key = variable if isinstance(variable, str) else ""
        # Operators may repeat; the index keeps them apart and `_narrowed` looks at the start of the name
        # only.
        condition[f"{child.get('test')} {index}"] = {key: child.get("values")}
    return Statement(
        "Allow" if effect is None else effect,
        body.get("actions"),
        body.get("not_actions"),
        body.get("resources"),
        principals or None,
        condition,
        body.place,
    )


def _everyone(principals: Value) -> bool | Unknown:
    """Whether `principals` holds everyone. A service or a federated provider is always somebody."""
    if isinstance(principals, Mapping):
        principals = tuple(value for type, value in principals.items() if type in {"AWS", "*"})
    unknown: Unknown | None = None
    for leaf in leaves(principals):
        if leaf == "*":
            return True
        if isinstance(leaf, Unknown) and not leaf.known and leaf.is_input:
            unknown = leaf
    return unknown or False


def _narrowed(condition: Value) -> bool | Unknown:
    """Whether `condition` ties the statement to somebody."""
    if isinstance(condition, Unknown):
        return condition
    unknown: Unknown | None = None
    for operator, keys in condition.items() if isinstance(condition, Mapping) else ():
        if isinstance(keys, Unknown):
            unknown = keys
        if not isinstance(keys, Mapping) or "not" in operator.lower() or operator.lower().startswith("null"):
            continue
        for key, values in keys.items():
            if key.lower().startswith(_NARROWING) and not _EVERYWHERE.intersection(
                leaf for leaf in leaves(values) if isinstance(leaf, str)
            ):
                return True
    return unknown or False
