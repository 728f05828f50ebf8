"""Where a request goes: the routes of a deployment, and who may use them."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from lawspeaker.gateway.fault import RequestError
from lawspeaker.govern import Governor

Headers = Mapping[bytes, bytes]
Spend = Callable[[int], None]


class Client(msgspec.Struct, frozen=True):
    """Who asks. `id` names the key (never is the key) and goes on record; decisions are shown to the same id only.
    `routes` bounds what may be asked for; None is every route. `spend` is told the tokens that its answers took."""

    id: str
    tenant: str = "default"
    routes: frozenset[str] | None = None
    spend: Spend | None = None


class Route(msgspec.Struct, frozen=True):
    """One name that requests may give as their model, and the law and models behind it. `betas` are trials of a vendor
    that it allows beside those that any route does."""

    name: str
    governor: Governor
    betas: frozenset[str] = frozenset()


Authenticate = Callable[[Headers], Client]
_ANYBODY: Final = Client("loopback")


def anybody(headers: Headers) -> Client:
    """On loopback and without keys everybody is the same client, whatever key is sent."""
    return _ANYBODY


def bearer(headers: Headers) -> str:
    """The key that a request brings: OpenAI's clients send it as a bearer token, Anthropic's in `x-api-key`."""
    key = headers.get(b"x-api-key", b"").decode("latin-1").strip()
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return key or (token.strip() if scheme.lower() == "bearer" else "")


def route_name(address: str) -> str:
    """What a client calls the model at `address`: `openai:gpt-5` is `gpt-5`, `http://host/v1#qwen` is `qwen`."""
    if "#" in address:
        return address.rpartition("#")[2]
    return address.partition(":")[2] or address


class Routes(msgspec.Struct, frozen=True):
    """Every route, by name. Where there are tenants, each has its own names and nobody else has any."""

    by_name: Mapping[str, Route]
    by_tenant: Mapping[str, Mapping[str, Route]] | None = None

    def find(self, name: str, client: Client) -> Route:
        """The route that a request names; the same words where there is none and where it is another's."""
        route = self._of(client).get(name)
        if route is None or (client.routes is not None and name not in client.routes):
            raise RequestError(404, "no such model here; see /v1/models", param="model", code="model_not_found")
        return route

    def visible(self, client: Client) -> list[str]:
        """The names that `client` may use."""
        return [name for name in self._of(client) if client.routes is None or name in client.routes]

    def _of(self, client: Client) -> Mapping[str, Route]:
        return self.by_name if self.by_tenant is None else self.by_tenant.get(client.tenant, {})
