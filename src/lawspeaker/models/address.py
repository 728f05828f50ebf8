"""Models are addressed by a string."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lawspeaker.errors import ModelConfigError
from lawspeaker.models.anthropic import Anthropic
from lawspeaker.models.base import Model
from lawspeaker.models.local import Local
from lawspeaker.models.nano import Nano
from lawspeaker.models.openai import OpenAICompatible
from lawspeaker.models.responses import OpenAIResponses
from lawspeaker.models.scripted import Scripted
from lawspeaker.models.several import Several
from lawspeaker.models.wire import CONNECTIONS

# vendor -> (server, path below it, variable that names another server, variables that may hold the key): as each
# vendor's own client reads; OPENAI_BASE_URL alone holds the path too
_VENDORS: Final = {
    "openai": ("https://api.openai.com/v1", "", "OPENAI_BASE_URL", ("OPENAI_API_KEY",)),
    "openai-responses": ("https://api.openai.com/v1", "", "OPENAI_BASE_URL", ("OPENAI_API_KEY",)),
    "anthropic": ("https://api.anthropic.com", "/v1", "ANTHROPIC_BASE_URL", ("ANTHROPIC_API_KEY",)),
    "gemini": (
        "https://generativelanguage.googleapis.com",
        "/v1beta/openai",
        "GOOGLE_GEMINI_BASE_URL",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
}
_SECRET: Final = 16  # characters: a shorter key is a placeholder, such as `ollama`, and may be part of a host
_FORMS: Final = (
    "nano, local:FOLDER, local:ORG/NAME, openai:MODEL, openai-responses:MODEL, anthropic:MODEL, gemini:MODEL, "
    "http://HOST:PORT/v1#MODEL or scripted:FILE"
)


def open_model(address: str, environment: Mapping[str, str] = os.environ, *, connections: int = CONNECTIONS) -> Model:
    """The model behind `address`. Nothing is sent yet, but `local:ORG/NAME` fetches weights that are not cached.
    Raises `ModelConfigError`.

    `connections` is how many there are at the same time to one server at most, 0 for any number.

    A server of one's own (`http://…#model`) gets the key in `LAWSPEAKER_MODEL_KEY`, never a vendor's; several of them,
    parted by commas, are one model. An address is on record and in messages, so one that holds a key or a password is
    refused, in words that do not repeat it.
    """
    vendor, _, rest = address.partition(":")
    if address == "nano":
        return Nano.load()
    if vendor == "scripted" and rest:
        return Scripted.open(Path(rest))
    if not address.isprintable():
        raise ModelConfigError(f"the model address holds characters that cannot be shown; want {_FORMS}")
    if vendor == "local" and rest:
        return Local.open(address)
    if vendor in _VENDORS and rest:
        server, path, override, names = _VENDORS[vendor]
        key = _key(address, names, environment)
        if key is None:
            raise ModelConfigError(f"{address}: no key; set {' or '.join(names)}")
        if environment.get(override):
            server = _base(environment[override], f"{override}: want http://HOST:PORT{'' if path else '/v1'}")
        return _speaking(vendor, address, server.rstrip("/") + path, rest, key, connections)
    if vendor in {"http", "https"}:
        url, _, model = address.partition("#")
        wanted = f"a model address that begins with {vendor}: want http://HOST:PORT/v1#MODEL"
        if not model:
            raise ModelConfigError(wanted)
        key = _key(address, ("LAWSPEAKER_MODEL_KEY",), environment)
        bases = [_base(each, wanted) for each in url.split(",")]
        servers = [OpenAICompatible(address, base, model, key, connections=connections) for base in bases]
        return servers[0] if len(servers) == 1 else Several(address, servers)
    raise ModelConfigError(f"{address!r} is not a model address; want {_FORMS}")


def _speaking(vendor: str, address: str, base: str, model: str, key: str, connections: int) -> Model:
    match vendor:
        case "openai-responses":
            return OpenAIResponses(address, base, model, key, connections=connections)
        case "anthropic":
            return Anthropic(address, base, model, key, connections=connections)
        case _:
            return OpenAICompatible(address, base, model, key, reasons=vendor == "openai", connections=connections)


def _base(url: str, wanted: str) -> str:
    """`url` if it is a server's address and nothing more. What it is instead may be a secret, and is not repeated."""
    try:
        parts = urlsplit(url)
        port = parts.port  # None is well; looking is what raises
    except ValueError:
        raise ModelConfigError(f"{wanted}, with a host and a port that can be") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ModelConfigError(wanted)
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ModelConfigError(f"{wanted}, without user name, password or query; a key goes into the environment")
    return url


def _key(address: str, names: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The first key that is set, without the line end that a file leaves on it."""
    for name in names:
        key = environment.get(name, "").strip()
        if key and not (key.isascii() and key.isprintable()):
            raise ModelConfigError(f"{name} holds characters that no key has, such as a line end; set it again")
        if len(key) >= _SECRET and key in address:
            raise ModelConfigError(f"the model address holds the key that {name} holds; leave it to the environment")
        if key:
            return key
    return None
