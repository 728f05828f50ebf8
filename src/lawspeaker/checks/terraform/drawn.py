"""Resources that another form than HCL describes, as the rules know them.

A plan says everything of a resource; a command or a template of another language says some of it. What such a part
does not say is unknown, so nothing follows from its absence.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from lawspeaker.checks.terraform.module import Module, Place, Resource
from lawspeaker.checks.terraform.values import Unknown, Value, leaves
from lawspeaker.checks.text.readings import Reading

UNSAID: Final = Unknown("what is not said here")


class Drawn(msgspec.Struct, frozen=True):
    """What `source` describes. `whole` says that nothing is left out, as in a plan."""

    source: Reading
    read: Module
    whole: bool

    def opens(self, place: Place) -> bool:
        """Whether what stands at `place` has a value of its own that is not known."""
        return any(
            isinstance(leaf, Unknown)
            for resource in self.read.everything()
            if resource.place == place
            for value in resource.values.values()
            for leaf in leaves(value)
        )


Reader = Callable[[str], Module | None]


def drawn(type: str, name: str, values: Mapping[str, Value], place: Place, absent: Unknown | None = UNSAID) -> Resource:
    """The resource `type.name` with `values`."""
    return Resource(values, {}, {}, place, absent, type, name)


def gathered(text: str, resources: Iterable[Resource]) -> Module:
    """The module of `resources`, all of which stand in `text`."""
    found: dict[str, list[Resource]] = {}
    for resource in resources:
        found.setdefault(resource.type, []).append(resource)
    return Module((text,), {type: tuple(several) for type, several in found.items()}, ())
