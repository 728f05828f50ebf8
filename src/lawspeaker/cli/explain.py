"""`lawspeaker explain`: a principle, a lint rule or a catalogue id in plain words."""

import click

from lawspeaker.checks.registry import KINDS
from lawspeaker.cli.context import constitution_option, inert, law_names, page
from lawspeaker.constitution.crosswalk import catalogue_of, respelled, standing, title, withdrawal
from lawspeaker.constitution.files import bundled
from lawspeaker.constitution.lint import RULES
from lawspeaker.constitution.lint import page as rule_page
from lawspeaker.constitution.load import load
from lawspeaker.constitution.read import did_you_mean
from lawspeaker.constitution.schema import Principle
from lawspeaker.errors import InputError
from lawspeaker.report.page import action


@click.command()
@click.argument("id")
@constitution_option
def command(id: str, laws: tuple[str, ...]) -> int:
    """Say what ID is: a principle (of the constitutions given, else of any bundled one), a lint rule such as
    wording/no-reason, or an entry of a catalogue such as CWE-732."""
    principles = _principles(laws)
    if id in principles:
        name, principle = principles[id]
        _principle(name, principle)
    elif id in RULES:
        found = rule_page(id)
        page().print(inert(f"{found.text}\n\nFaulted:\n{found.fails}\n\nNot faulted:\n{found.passes}"))
    else:
        _entry(id, principles)
    return 0


def _principles(laws: tuple[str, ...]) -> dict[str, tuple[str, Principle]]:
    """By id, the first law that holds it."""
    found: dict[str, tuple[str, Principle]] = {}
    for name in dict.fromkeys((*law_names(laws), *(() if laws else bundled()))):
        for principle in load(name, kinds=KINDS).principles:
            found.setdefault(principle.id, (name, principle))
    return found


def _principle(name: str, principle: Principle) -> None:
    out = page()
    out.print(f"[bold]{inert(principle.id)}[/] ({principle.severity}, of {inert(name)}): {inert(principle.text)}")
    for label, text in (
        ("Because", principle.because),
        ("A violation means", action(principle)),
        ("Undecided means", principle.on_inconclusive),
        ("Decided by", ", ".join(check.kind for check in principle.checks) or "nothing"),
        ("A critic looks for this", principle.critique),
        ("A revision does this", principle.revision),
        ("Maps to", ", ".join(f"{id} {title(id)}".strip() for id in principle.maps_to)),
    ):
        if text:
            out.print(f"[dim]{label}:[/] {inert(text)}")


def _entry(id: str, principles: dict[str, tuple[str, Principle]]) -> None:
    right = respelled(id) or id
    catalogue = catalogue_of(right)
    if withdrawn := withdrawal(right):
        raise InputError(withdrawn)
    if catalogue is None or standing(right) == "unknown":
        hint = did_you_mean(id, [*principles, *RULES])
        raise InputError(f"'{id[:80]}' is no principle, no lint rule and no catalogue id that is known here{hint}")
    out = page()
    what = title(right) or "no title of it is bundled"
    out.print(f"[bold]{inert(right)}[/]: {inert(what)}\n{inert(catalogue.name)}, {inert(catalogue.edition)}")
    out.print(f"[dim]{inert(catalogue.source)} ({catalogue.published})[/]")
    serving = [f"{each.id} ({name})" for name, each in principles.values() if right in each.maps_to]
    out.print(f"[dim]Principles that map to it:[/] {inert(', '.join(serving)) or 'none'}")
