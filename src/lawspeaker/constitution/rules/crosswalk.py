"""Rules about ids in public catalogues. An id that was withdrawn is refused earlier, by `load`."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.crosswalk import catalogue_of, catalogues, respelled, standing
from lawspeaker.constitution.rules.fault import Edit, Examine, Fault
from lawspeaker.constitution.schema import Constitution, Principle


def spelled_otherwise(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """An id is written in another way than its catalogue writes it (case, edition, zeros), so that searches miss it.
    `--fix` corrects it.

    Fails:
        {maps_to: [cwe-732]}
    Passes:
        {maps_to: [CWE-732]}
    """
    for id in principle.maps_to:
        if right := respelled(id):
            place = principle.place("maps_to")
            yield Fault(place, f"'{id}' is written {right}", Edit(place, id, right))


def unknown_id(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """An id has the beginning of a catalogue that has no such entry. Look it up; `lawspeaker explain` knows those that
    are bundled.

    Fails:
        {maps_to: ["OWASP-LLM11:2025"]}
    Passes:
        {maps_to: ["OWASP-LLM10:2025"]}
    """
    for id in principle.maps_to:
        if standing(id) == "unknown" and not respelled(id):
            catalogue = catalogue_of(id)
            name = f"{catalogue.name} ({catalogue.edition})" if catalogue else "its catalogue"
            yield Fault(principle.place("maps_to"), f"'{id}' is not in {name}")


def unknown_catalogue(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """An id is of no catalogue that is known here, so nobody can check it. Ids of your own house begin with `X-`.

    Fails:
        {maps_to: [ACME-7]}
    Passes:
        {maps_to: [X-ACME-7]}
    """
    for id in principle.maps_to:
        if standing(id) == "foreign" and not id.startswith("X-") and not respelled(id):
            known = ", ".join(each.prefix.rstrip("-") for each in catalogues())
            yield Fault(
                principle.place("maps_to"), f"'{id}' is of no known catalogue ({known}); write X- before your own"
            )


def listed_twice(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """An id stands twice in `maps_to`. `--fix` removes the second where the list stands on one line.

    Fails:
        {maps_to: [CWE-732, CWE-200, CWE-732]}
    Passes:
        {maps_to: [CWE-732, CWE-200]}
    """
    for id, times in Counter(principle.maps_to).items():
        if times > 1:
            place = principle.place("maps_to")
            yield Fault(place, f"'{id}' stands in maps_to {times} times", Edit(place, f", {id}"))


def critical_unmapped(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A critical principle maps to no entry of any catalogue, so that an auditor cannot tell which requirement it
    serves. Add `maps_to`.

    Fails:
        {severity: critical, applies_to: [answer, tool_call], maps_to: null}
    Passes:
        {severity: critical, applies_to: [answer, tool_call], maps_to: [CWE-732]}
    """
    if principle.severity == "critical" and not principle.maps_to:
        yield Fault(principle.place(), f"the critical principle '{principle.id}' maps to nothing")


RULES: Final[tuple[Examine, ...]] = (
    spelled_otherwise,
    unknown_id,
    unknown_catalogue,
    listed_twice,
    critical_unmapped,
)
