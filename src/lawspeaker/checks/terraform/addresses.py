"""Address ranges and ports."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from lawspeaker.checks.terraform.values import Unknown, Value

_NAMES: Final = frozenset({"*", "any", "internet", "all"})
# A range of at most this prefix is a good part of the internet, whatever it is called.
_WIDEST: Final = {4: 7, 6: 4}
# Ranges that are narrower each, and together more than any one organisation has.
_WIDEST_TOGETHER: Final = {4: 3, 6: 6}
_PREFIX: Final = re.compile(r"/(\d{1,3})$")
# `0/0` and `000.000.000.000/0` are no ranges by the letter, and some take them for one.
_TO_ALL: Final = re.compile(r"^[\d.:x]+/0*[0-4]$")


def is_everyone(value: Value) -> bool | Unknown:
    """Whether `value` is a range, or a name for one, that holds (nearly) the whole internet. What a
    resource tells of itself (the range of a network) is not, and neither is an unknown address with a
    known, narrow prefix."""
    if isinstance(value, Unknown):
        last = value.parts[-1] if value.parts else ""
        prefix = _PREFIX.search(last) if isinstance(last, str) else None
        if prefix is not None:
            return False if int(prefix[1]) > _WIDEST[4] else value
        return value if value.is_input or value.known else False
    if not isinstance(value, str):
        return False
    if value.strip().lower() in _NAMES:
        return True
    try:
        network = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        return _TO_ALL.search(value.strip()) is not None
    return network.prefixlen <= _WIDEST[network.version]


def are_nearly_everyone(values: Iterable[Value]) -> bool:
    """Whether ranges that are each somebody's hold a good part of the internet together (`0.0.0.0/2`, `64.0.0.0/2`)."""
    four: list[ipaddress.IPv4Network] = []
    six: list[ipaddress.IPv6Network] = []
    for value in values:
        try:
            network = ipaddress.ip_network(value.strip(), strict=False) if isinstance(value, str) else None
        except ValueError:
            continue
        if isinstance(network, ipaddress.IPv4Network):
            four.append(network)
        elif network is not None:
            six.append(network)
    held_four = sum(network.num_addresses for network in ipaddress.collapse_addresses(four))
    held_six = sum(network.num_addresses for network in ipaddress.collapse_addresses(six))
    return held_four >> (32 - _WIDEST_TOGETHER[4]) > 0 or held_six >> (128 - _WIDEST_TOGETHER[6]) > 0


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
