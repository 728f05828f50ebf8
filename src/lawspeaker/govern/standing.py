"""What is the same for every exchange that a governor governs: worked out once, not for each of them."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.judge import TEMPLATE as JUDGE
from lawspeaker.checks.waivers import Waiver
from lawspeaker.constitution.schema import Constitution, behaviour_digest
from lawspeaker.deliberation.critique import TEMPLATE as CRITIQUE
from lawspeaker.deliberation.revision import TEMPLATE as REVISION
from lawspeaker.digest import digest
from lawspeaker.models.base import Model

PROMPTS: Final = {template.name: template.digest for template in (CRITIQUE, REVISION, JUDGE)}
_Cast = tuple[tuple[str, str, str], ...]  # part played, name and digest of the model that plays it


class Standing(msgspec.Struct, frozen=True):
    """The digests that every record names, and who acts, of a law with its waivers and a cast of models."""

    constitution: Constitution
    waivers: tuple[Waiver, ...]
    cast: _Cast
    law: str
    behaviour: str
    models: dict[str, dict[str, str]]


def standing(
    constitution: Constitution, cast: Mapping[str, Model | None], waivers: Sequence[Waiver], before: Standing | None
) -> Standing:
    """The standing of these; it is `before` where that is of the same."""
    plays = tuple((part, each.name, each.digest) for part, each in cast.items() if each is not None)
    if before is not None and before.constitution is constitution and (before.cast, before.waivers) == (plays, waivers):
        return before
    models = {part: {"name": name, "digest": of} for part, name, of in plays}
    behaviour = behaviour_digest(constitution, prompts=PROMPTS, models={part: of for part, _, of in plays})
    if waivers:
        terms = [waiver.terms() for waiver in waivers]
        behaviour = digest("lawspeaker/waived/v1", {"behaviour": behaviour, "waivers": terms})
    return Standing(constitution, tuple(waivers), plays, constitution.digest, behaviour, models)
