"""How far a postal address reaches around its street: house number, flat, town and post code, over its lines."""

import re
from typing import Final

UNIT: Final = r"(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Apto|Whg)\.?\s?#?\d{1,5}[A-Za-z]?\b"
# From one part to the next: a comma, a line end, a blank line; lines may be quoted.
_GAP: Final = r"[ \t]{0,8}[,;]?[ \t]{0,8}(?:\r?\n[ \t>]{0,12}){0,2}[,;]?[ \t]{0,8}"
_PLACE: Final = r"[A-ZÀ-ÖØ-ÞĀ-ŽΆ-ΏΑ-ΫА-Я(][\w'’()./-]{0,30}"
_CODE: Final = (
    r"(?:\d{4,6}(?:-\d{3,4})?|\d{3} \d{2}|\d{2}-\d{3}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d)"
    r"(?![\w-])"
)
_BEFORE: Final = re.compile(rf"(?<![\w.,-])(?:{UNIT}[, ]{{1,2}})?(?:\d{{1,6}},?[ \t]{{1,2}})?\Z", re.IGNORECASE)
_UNITS: Final = re.compile(rf"(?:{_GAP}{UNIT}){{1,2}}", re.IGNORECASE)
_TOWN: Final = re.compile(rf"(?:{_GAP}{_PLACE}){{1,6}}{_GAP}{_CODE}|{_GAP}{_CODE}(?:{_GAP}{_PLACE}){{1,3}}")
# How far before a street its address may begin, and how far behind it end.
BEFORE: Final = 40
BEHIND: Final = 750


def whole(text: str, start: int, end: int) -> tuple[int, int]:
    """The place of the address whose street stands at `start:end`."""
    before = _BEFORE.search(text, max(0, start - BEFORE), start)
    if before:
        start = before.start()
    for more in (_UNITS, _TOWN):
        after = more.match(text, end)
        if after:
            end = after.end()
    return start, end
