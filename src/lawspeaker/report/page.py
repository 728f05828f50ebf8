"""A constitution as one HTML page for a committee: no script, nothing fetched, every text escaped."""

from importlib.resources import files

import jinja2

from lawspeaker.constitution.crosswalk import Catalogue, catalogue_of, catalogues, title
from lawspeaker.constitution.schema import Constitution, Principle


def html(law: Constitution) -> str:
    """The page."""
    template = files("lawspeaker.report").joinpath("templates/constitution.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(template).render(
        law=law, action=action, title=title, catalogues=catalogues(), crosswalk=crosswalk
    )


def action(principle: Principle) -> str:
    """What a violation means, in words."""
    if principle.on_violation in {"revise", "redact"}:
        return f"{principle.on_violation}, otherwise {principle.otherwise}"
    return principle.on_violation


def crosswalk(law: Constitution, catalogue: Catalogue) -> list[tuple[str, tuple[str, ...]]]:
    """The ids of `catalogue` that the law maps to, each with its principles."""
    ids = sorted({id for principle in law.principles for id in principle.maps_to if catalogue_of(id) == catalogue})
    return [(id, tuple(principle.id for principle in law.principles if id in principle.maps_to)) for id in ids]
