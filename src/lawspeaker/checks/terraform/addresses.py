"""Address ranges and ports."""

import ipaddress
import re
from typing import Final

from lawspeaker.checks.terraform.values import Unknown, Value

_NAMES: Final = frozenset({"*", "any", "internet", "all"})
# A range of at most this prefix is a good part of the internet, whatever it is called.
_WIDEST: Final = {4: 7, 6: 4}
_PREFIX: Final = re.compile(r"/(\d{1,3})$")


def is_everyone(value: Value) -> bool | Unknown:
    """Whether `value` is a range, or a name for one, that holds (nearly) the whole internet. What a
    resource tells of itself (the range of a network) is not, and neither is an unknown address with a
    known, narrow prefix."""
    if isinstance(value, Unknown):
        prefix = _PREFIX.search(value.known)
        narrow = prefix is not None and int(prefix[1]) > _WIDEST[4]
        return False if narrow or not value.is_input else value
    if not isinstance(value, str):
        return False
    if value.strip().lower() in _NAMES:
        return True
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        return False
    return network.prefixlen <= _WIDEST[network.version]


def port_range(value: Value) -> tuple[int, int] | Unknown | None:
    """`22`, `"22"`, `"20-25"` or `"*"` as first and last port; None for what is no port."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value).strip()
    if text in {"*", "any", ""}:
        return 0, 65535
    first, _, last = text.partition("-")
    digits = first.strip(), (last or first).strip()
    if not all(side.isdecimal() and len(side) <= 9 for side in digits):
        return None
    return int(digits[0]), int(digits[1])
