"""`lawspeaker access`: keys for clients of the gateway."""

from datetime import UTC, datetime

import click

from lawspeaker.access import Key, Keyring, new_secret
from lawspeaker.cli.context import LASTING, home, inert, json_option, page, print_json, say, words
from lawspeaker.errors import InputError


@click.group()
def command() -> None:
    """Keys for clients: made here, shown once, refused from the moment that they are revoked."""


@command.command("add")
@click.argument("name")
@click.option("--tenant", default="default", show_default=True, help="Whose records its requests become.")
@click.option("--route", "routes", multiple=True, metavar="MODEL", help="A model name it may use. Default: all.")
@click.option("--expires", "lasts", type=LASTING, default=0, metavar="30d", help="How long it lasts. Default: ever.")
@click.option("--requests-per-minute", type=click.IntRange(1), default=None, help="Default: no limit.")
@click.option("--tokens-per-day", type=click.IntRange(1), default=None, help="Default: no limit.")
@click.option("--metrics", is_flag=True, help="It reads /metrics, and is good for nothing else.")
@json_option("The key and what it may do, as JSON.")
def add_command(
    name: str,
    tenant: str,
    routes: tuple[str, ...],
    lasts: int,
    requests_per_minute: int | None,
    tokens_per_day: int | None,
    metrics: bool,
    as_json: bool,
) -> int:
    """Make a key. It goes to standard output, once: what is stored is its hash."""
    if metrics and routes:
        raise InputError("--metrics and --route: a key for /metrics may use no route")
    with Keyring(home()) as keyring:
        key, secret = keyring.add(
            name,
            tenant=tenant,
            routes=routes or None,
            lasts=lasts,
            requests_per_minute=requests_per_minute or 0,
            tokens_per_day=tokens_per_day or 0,
            metrics=metrics,
        )
    if as_json:
        print_json({"key": secret, **_shown(key)})
        return 0
    words().print(f"{key.id} for tenant {inert(key.tenant)}; this is the only time that the key is shown:")
    say(secret)
    return 0


@command.command("new")
def new_command() -> int:
    """Print a key that is stored nowhere, for a variable that a configuration names."""
    say(new_secret())
    return 0


@command.command("list")
@json_option("As JSON.")
def list_command(as_json: bool) -> int:
    """All keys, the oldest first; never the keys themselves."""
    with Keyring(home()) as keyring:
        keys = keyring.keys()
    if as_json:
        print_json([_shown(key) for key in keys])
        return 0
    for key in keys:
        state = "revoked" if key.revoked else f"expires {_time(key.expires)}" if key.expires else "no expiry"
        routes = "/metrics" if key.metrics else "all routes" if key.routes is None else ", ".join(key.routes)
        state += ", of a configuration" if key.configured else ""
        page().print(f"{key.id}  {inert(key.name)}  tenant {inert(key.tenant)}  {inert(routes)}  {state}")
    words().print(f"{len(keys)} key{'s' if len(keys) != 1 else ''}")
    return 0


@command.command("revoke")
@click.argument("key")
def revoke_command(key: str) -> int:
    """Refuse KEY (an id, or a name that one valid key has) from the next request on."""
    with Keyring(home()) as keyring:
        revoked = keyring.revoke(key)
    words().print(f"{revoked.id} ({inert(revoked.name)}) is revoked")
    return 0


def _shown(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "routes": key.routes,
        "created": _time(key.created),
        "expires": _time(key.expires) if key.expires else None,
        "revoked": _time(key.revoked) if key.revoked else None,
        "requests_per_minute": key.requests_per_minute or None,
        "tokens_per_day": key.tokens_per_day or None,
        "metrics": key.metrics,
        "configured": key.configured,
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
