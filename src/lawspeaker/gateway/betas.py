"""The header `anthropic-beta`: what of a vendor's trials a request may ask for.

A trial may bring in what nobody here has read (files, tools that the vendor runs, edits of a conversation), so names
are allow-listed, whole, with their dates. Those that change nothing which is judged here, such as how tool calls are
encoded, how long an answer may be or how long a prompt is kept, are served; a route may name more. Any other is refused
by its name, as the vendor refuses one that it does not know.
"""

from collections.abc import Set
from typing import Final

from lawspeaker.gateway.fault import bad
from lawspeaker.gateway.routes import Headers

HEADER: Final = b"anthropic-beta"
SERVED: Final = frozenset(
    {
        "claude-code-20250219",  # says which client asks
        "context-1m-2025-08-07",
        "effort-2025-11-24",
        "extended-cache-ttl-2025-04-11",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",  # thinking is judged wherever it stands
        "model-context-window-exceeded-2025-08-26",
        "output-128k-2025-02-19",
        "output-300k-2026-03-24",
        "prompt-caching-2024-07-31",
        "structured-outputs-2025-11-13",
        "token-counting-2024-11-01",
        "token-efficient-tools-2025-02-19",
    }
)


def betas(headers: Headers, allowed: Set[str]) -> tuple[str, ...]:
    """The trials that a request asks for, each once. Raises `RequestError` at one that is not served."""
    said = headers.get(HEADER, b"").decode("latin-1")
    named = tuple(dict.fromkeys(name for each in said.split(",") if (name := each.strip())))
    for name in named:
        if name not in SERVED and name not in allowed:
            words = f"the beta {name[:60]!r} is not served here: what it brings in would pass unchecked"
            raise bad(words, "anthropic-beta", "unsupported_parameter")
    return named
