"""The tenants of `lawspeaker.yaml`, read strictly: who may ask for which routes, and with which keys.

    name: shop
    routes:                      # default: all that stand above
      - assistant                # one of those
      - {name: coder, model: nano, constitution: house.yaml}   # one of its own, which no other tenant sees
    keys:
      - name: web
        environment: SHOP_WEB_KEY        # the variable that holds the key
        routes: [assistant]              # default: all of the tenant's
        expires: '2026-12-31'            # the last day, in UTC
        requests_per_minute: 600
        tokens_per_day: 2000000

No key stands in the file: it is read from the environment, and only its hash is kept.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.access import WORD, Key, configured, is_secret
from lawspeaker.constitution import read
from lawspeaker.constitution.source import Node
from lawspeaker.gateway.config import Kinds, RouteConfig, number, read_routes
from lawspeaker.gateway.waivers import end_of_day

_TENANT: Final = ("name", "routes", "keys")
_KEY: Final = ("name", "environment", "routes", "expires", "requests_per_minute", "tokens_per_day")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_MOST: Final = 1_000_000_000_000


class TenantConfig(msgspec.Struct, frozen=True):
    """One tenant as configured: its routes by name, and its keys with their secrets."""

    name: str
    routes: dict[str, RouteConfig]
    keys: tuple[tuple[Key, str], ...]


def read_tenants(
    node: Node, shared: Mapping[str, RouteConfig], path: Path, kinds: Kinds, environment: Mapping[str, str]
) -> tuple[TenantConfig, ...]:
    """The tenants in the list at `node`; `shared` are the routes that any may be given."""
    tenants: dict[str, TenantConfig] = {}
    taken: set[str] = set()
    for each in read.items(node):
        found = read.fields(each, "a tenant", _TENANT, ("name",))
        name = _word(found["name"], "tenant")
        if name in tenants:
            raise found["name"].place.error(f"the tenant '{name}' is here twice")
        routes = _routes(found["routes"], shared, path, kinds) if "routes" in found else dict(shared)
        if not routes:
            raise each.place.error(f"the tenant '{name}' has no route; name one, or define one of its own")
        keys: list[tuple[Key, str]] = []
        for one in read.items(found["keys"]) if "keys" in found else ():
            key = _key(one, name, routes, environment)
            if key[1] in taken:
                raise one.place.error("this key is here twice; each has a secret of its own")
            taken.add(key[1])
            keys.append(key)
        tenants[name] = TenantConfig(name, routes, tuple(keys))
    return tuple(tenants.values())


def _routes(node: Node, shared: Mapping[str, RouteConfig], path: Path, kinds: Kinds) -> dict[str, RouteConfig]:
    items = read.items(node)
    named: dict[str, RouteConfig] = {}
    for each in items:
        if isinstance(each.value, dict):
            continue
        name = read.text(each)
        if name not in shared:
            raise each.place.error(f"no route is called '{name[:80]}'{read.did_you_mean(name, shared)}")
        if name in named:
            raise each.place.error(f"the route '{name}' is here twice")
        named[name] = shared[name]
    own = read_routes([each for each in items if isinstance(each.value, dict)], path, kinds)
    for name, route in own.items():
        if name in named:
            raise route.places["name"].error(f"the route '{name}' is here twice; a name leads to one route")
    return {**named, **own}


def _key(node: Node, tenant: str, routes: Mapping[str, RouteConfig], environment: Mapping[str, str]) -> tuple[Key, str]:
    found = read.fields(node, "a key", _KEY, ("name", "environment"))
    name = _word(found["name"], "key")
    secret = _secret(found["environment"], environment)
    bounds = {
        field: int(number(found[field], 1, _MOST, whole=True))
        for field in ("requests_per_minute", "tokens_per_day")
        if field in found
    }
    return configured(
        secret,
        name=name,
        tenant=tenant,
        routes=_bounded(found["routes"], routes) if "routes" in found else None,
        expires=end_of_day(found["expires"]) if "expires" in found else 0,
        **bounds,
    )


def _secret(node: Node, environment: Mapping[str, str]) -> str:
    variable = read.text(node)
    if not _VARIABLE.fullmatch(variable):
        raise node.place.error("environment is the name of the variable that holds the key, never the key")
    secret = environment.get(variable, "").strip()
    if not secret:
        raise node.place.error(f"the environment has no {variable}; set it to a key that `lawspeaker access new` made")
    if not is_secret(secret):
        raise node.place.error(f"{variable} holds no key; set it to one that `lawspeaker access new` made")
    return secret


def _bounded(node: Node, routes: Mapping[str, RouteConfig]) -> Sequence[str]:
    names = []
    for each in read.items(node):
        name = read.text(each)
        if name not in routes:
            raise each.place.error(f"this tenant has no route '{name[:80]}'{read.did_you_mean(name, routes)}")
        names.append(name)
    if not names:
        raise node.place.error("the list is empty; a key without a route is good for nothing")
    return names


def _word(node: Node, what: str) -> str:
    word = read.text(node)
    if not WORD.fullmatch(word):
        raise node.place.error(f"the name of a {what} is up to 64 letters, digits, dots, dashes and underscores")
    return word
