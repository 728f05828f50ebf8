"""Settings that are right or wrong by themselves, as data: one line for each service."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from lawspeaker.checks.terraform.module import Module, Resource
from lawspeaker.checks.terraform.values import Unknown, Value
from lawspeaker.checks.terraform.verdict import Judgement, Verdict, each, nested, undecided, violated

OFF: Final[tuple[Value, ...]] = (False, "false", "0", "Disabled", "DISABLED", "disabled", "NONE", "OFF")
ON: Final[tuple[Value, ...]] = (True, "true", "1", "Enabled", "ENABLED", "enabled")
NEVER: Final = r"(?!)"


class Setting(NamedTuple):
    """`attribute` of the blocks at `path` must not be one of `wrong`; `what` is the rest of a sentence about it.

    `absent` says that leaving the attribute out (or, without `optional`, the block) means the same."""

    type: str
    attribute: str
    wrong: Sequence[Value] | Callable[[Value], bool]
    what: str
    path: tuple[str, ...] = ()
    absent: bool = False
    optional: bool = True


def judgement(settings: Sequence[Setting]) -> Judgement:
    """The judgement that `settings` make."""

    def judge(module: Module) -> Iterator[Verdict]:
        for setting in settings:
            for resource in module.of(setting.type):
                yield from each(resource, _judge(resource, setting))

    return judge


def types_of(settings: Sequence[Setting]) -> str:
    """A pattern of the types that `settings` judge."""
    return "|".join(sorted({rf"{setting.type}\b" for setting in settings}))


def _judge(resource: Resource, setting: Setting) -> Iterator[Verdict]:
    bodies = nested(resource, setting.path)
    if not bodies and setting.absent and not setting.optional:
        if resource.absent is not None:
            yield undecided(resource, f"whether {setting.what}", resource.absent)
        else:
            yield violated(resource, setting.what)
    for body in bodies:
        value = body.get(setting.attribute)
        if isinstance(value, Unknown):
            if value.is_input:
                yield undecided(resource, f"whether {setting.what}", value, body.at(setting.attribute))
        elif value is None:
            if setting.absent:
                yield violated(resource, setting.what, body.place)
        elif setting.wrong(value) if callable(setting.wrong) else value in setting.wrong:
            yield violated(resource, setting.what, body.at(setting.attribute))
