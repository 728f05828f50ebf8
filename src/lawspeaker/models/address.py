"""Models are addressed by a string."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lawspeaker.errors import ModelConfigError
from lawspeaker.models.base import Model
from lawspeaker.models.nano import Nano
from lawspeaker.models.openai import OpenAICompatible
from lawspeaker.models.scripted import Scripted

# vendor -> (base URL, variable that overrides it, variables that may hold the key): as each vendor's own client reads
_VENDORS: Final = {
    "openai": ("https://api.openai.com/v1", "OPENAI_BASE_URL", ("OPENAI_API_KEY",)),
    "gemini": (
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
}
_FORMS: Final = "nano, openai:MODEL, gemini:MODEL, http://HOST:PORT/v1#MODEL or scripted:FILE"


def open_model(address: str, environment: Mapping[str, str] = os.environ) -> Model:
    """The model behind `address`. Nothing is sent yet. Raises `ModelConfigError`.

    A server of one's own (`http://…#model`) gets the key in `LAWSPEAKER_MODEL_KEY`, never a vendor's.
    """
    vendor, _, rest = address.partition(":")
    if address == "nano":
        return Nano.load()
    if vendor == "scripted" and rest:
        return Scripted.open(Path(rest))
    if vendor in _VENDORS and rest:
        base, override, keys = _VENDORS[vendor]
        key = next((environment[name] for name in keys if environment.get(name)), None)
        if key is None:
            raise ModelConfigError(f"{address}: no key; set {' or '.join(keys)}")
        return OpenAICompatible(address, environment.get(override) or base, rest, key)
    if vendor in {"http", "https"}:
        url = urlsplit(address)
        if not url.hostname or not url.fragment or url.username or url.query:
            raise ModelConfigError(f"{address}: want http://HOST:PORT/v1#MODEL, without user name or query")
        base = url._replace(fragment="").geturl()
        return OpenAICompatible(address, base, url.fragment, environment.get("LAWSPEAKER_MODEL_KEY"))
    raise ModelConfigError(f"{address!r} is not a model address; want {_FORMS}")
