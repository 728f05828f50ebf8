"""The crosswalk: ids of public catalogues that principles map to, as data with source and date.

A catalogue that is `complete` knows every id of its edition; any other id is unknown. Of a large one (CWE, MITRE ATLAS,
the EU AI Act) a subset has titles here; an id of the right form that is not in it stands, without a title. An id that
its catalogue withdrew is refused by `load`, with the one that took its place.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

_FOLDER: Final = Path(__file__).parent / "catalogues"
Standing = Literal["listed", "unlisted", "unknown", "foreign"]


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`form` is a pattern of its ids, `ids` their titles, `withdrawn` maps an id to its successors, if any."""

    name: str
    edition: str
    source: str
    published: str
    complete: bool
    form: str
    ids: Mapping[str, str]
    withdrawn: Mapping[str, str] = {}

    @property
    def prefix(self) -> str:
        return re.split(r"[:\d]", next(iter(self.ids)))[0]


@cache
def catalogues() -> tuple[Catalogue, ...]:
    """Every bundled catalogue, by file name."""
    return tuple(
        msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Catalogue)
        for path in sorted(_FOLDER.glob("*.yaml"))
    )


def catalogue_of(id: str) -> Catalogue | None:
    """The catalogue that an id is of, by its form or, for one that is spelled otherwise, by its beginning."""
    return next(
        (each for each in catalogues() if id in each.withdrawn or id.upper().startswith(each.prefix.upper())), None
    )


def standing(id: str) -> Standing:
    """`listed`: has a title here; `unlisted`: of a right form, in a catalogue of which a part is here; `unknown`: not
    in its catalogue; `foreign`: of no bundled catalogue."""
    catalogue = catalogue_of(id)
    if catalogue is None:
        return "foreign"
    if id in catalogue.ids:
        return "listed"
    return "unknown" if catalogue.complete or not re.fullmatch(catalogue.form, id) else "unlisted"


def withdrawal(id: str) -> str:
    """That an id was withdrawn, and what took its place; empty for one that was not."""
    for each in catalogues():
        if id in each.withdrawn:
            instead = each.withdrawn[id]
            return f"{id} was withdrawn from its catalogue" + (f"; {instead} took its place" if instead else "")
    return ""


def title(id: str) -> str:
    """The title of an id; empty where none is known."""
    catalogue = catalogue_of(id)
    return catalogue.ids.get(id, "") if catalogue else ""


def respelled(id: str) -> str | None:
    """The id that was meant: other case, no edition, no leading zero. None where none, or more than one, fits."""
    bare = _bare(id)
    fitting = {known for each in catalogues() for known in each.ids if _bare(known) == bare}
    return next(iter(fitting)) if len(fitting) == 1 and id not in fitting else None


def _bare(id: str) -> str:
    short = re.sub(r"(?i)^(OWASP-(?:LLM|ASI)\d\d?)(?::20\d\d)?$", r"\1", id.strip())
    return re.sub(r"[\s_:-]+", "-", re.sub(r"(?<=[A-Za-z])0+(?=\d$)", "", short)).upper()
