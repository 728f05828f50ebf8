"""`lawspeaker.yaml`: a deployment, read strictly.

    listen:                      # what the options of `lawspeaker serve` would say; an option wins
      host: 0.0.0.0
      port: 8443
      tls: {certificate: cert.pem, key: key.pem}    # looked for from this file's folder
      plain_text: false
      allowed_hosts: [llm.example.com]
      metrics: 127.0.0.1:9464
    workers: 4                   # processes that serve, default 1
    ping_seconds: 5              # between two signs of life on a stream that has nothing to say yet
    checks: [house-rules]        # kinds of check that an installed package brings, by name
    routes: […]                  # see `config`
    tenants: […]                 # see `tenants`; where there are some, nobody else is served

Every mistake is one line with its place.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.access import Key
from lawspeaker.checks.registry import KINDS, extended
from lawspeaker.constitution import read
from lawspeaker.constitution.source import MAX_BYTES, Node, parse, too_big
from lawspeaker.errors import BoundaryError, InputError
from lawspeaker.gateway.config import Kinds, RouteConfig, number, read_routes
from lawspeaker.gateway.tenants import TenantConfig, read_tenants

_FIELDS: Final = ("listen", "workers", "ping_seconds", "checks", "routes", "tenants")
MOST_WORKERS: Final = 64
_LISTEN: Final = ("host", "port", "tls", "plain_text", "allowed_hosts", "metrics")


class Deployment(msgspec.Struct, frozen=True):
    """What is to be served. `listen` holds the fields of a `Binding` that the file has; `tenants` None is one tenant,
    which everybody belongs to whose key says nothing else."""

    routes: dict[str, RouteConfig]
    tenants: tuple[TenantConfig, ...] | None = None
    listen: dict[str, object] = {}
    workers: int | None = None
    ping_seconds: float = 5.0

    @property
    def every_route(self) -> tuple[RouteConfig, ...]:
        """Shared ones and those of tenants, each once."""
        found = {id(route): route for route in self.routes.values()}
        for tenant in self.tenants or ():
            found |= {id(route): route for route in tenant.routes.values()}
        return tuple(found.values())

    @property
    def keys(self) -> tuple[tuple[Key, str], ...]:
        return tuple(key for tenant in self.tenants or () for key in tenant.keys)


def load_config(path: Path, environment: Mapping[str, str] = os.environ) -> Deployment:
    """What the file at `path` says. Raises `ConstitutionError` with the place, or `InputError`."""
    try:
        data = path.read_bytes()
        text = data.decode()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a configuration that can be read") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: {too_big(len(data))}")
    if not text.strip():
        raise InputError(f"{path}: the file is empty; a configuration has routes")
    root = parse(text, str(path))
    found = read.fields(root, "a configuration", _FIELDS)
    if "routes" not in found and "tenants" not in found:
        raise root.place.error("a configuration without 'routes'")
    kinds = _kinds(found["checks"]) if "checks" in found else KINDS
    routes = read_routes(read.items(found["routes"]), path, kinds) if "routes" in found else {}
    if "routes" in found and not routes:
        raise found["routes"].place.error("the list is empty; name at least one route")
    tenants = read_tenants(found["tenants"], routes, path, kinds, environment) if "tenants" in found else None
    if tenants is not None and not tenants:
        raise found["tenants"].place.error("the list is empty; name at least one tenant")
    listen = _listen(found["listen"], path.parent) if "listen" in found else {}
    workers = int(number(found["workers"], 1, MOST_WORKERS, whole=True)) if "workers" in found else None
    pings = {"ping_seconds": number(found["ping_seconds"], 0.1, 600)} if "ping_seconds" in found else {}
    return Deployment(routes, tenants, listen, workers, **pings)


def _kinds(node: Node) -> Kinds:
    """The built-in kinds of check and those of installed packages that are named."""
    kinds = dict(KINDS)
    for each in read.items(node):
        try:
            kinds |= extended([read.text(each)])
        except (InputError, BoundaryError) as error:
            raise each.place.error(str(error)) from None
    return kinds


def _listen(node: Node, folder: Path) -> dict[str, object]:
    found = read.fields(node, "listen", _LISTEN)
    said: dict[str, object] = {}
    for field, name in (("host", "host"), ("metrics", "metrics")):
        if field in found:
            said[name] = read.text(found[field])
    if "port" in found:
        said["port"] = int(number(found["port"], 0, 65535, whole=True))
    if "plain_text" in found:
        said["plain_text"] = read.flag(found["plain_text"])
    if "allowed_hosts" in found:
        said["hosts"] = read.texts(found["allowed_hosts"])
    if "tls" in found:
        files = read.fields(found["tls"], "tls", ("certificate", "key"), ("certificate", "key"))
        said |= {name: folder / read.text(each) for name, each in files.items()}
    return said
