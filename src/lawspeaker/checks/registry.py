"""Which kinds of check exist.

The built-in kinds are all here. A third party's kind is an installed package that names itself in the
entry-point group `lawspeaker.checks`; it is loaded only when the deployment enables it by name, so that
installing a package runs none of its code here.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Final

from lawspeaker.checks.judge import JudgeKind
from lawspeaker.checks.pattern import PatternKind
from lawspeaker.checks.personal_data.kind import PersonalDataKind
from lawspeaker.checks.prompt_injection.kind import InjectionKind
from lawspeaker.checks.secrets.kind import SecretsKind
from lawspeaker.checks.shape.kind import ShapeKind
from lawspeaker.checks.terraform.kind import TerraformKind
from lawspeaker.constitution.kinds import CheckKind
from lawspeaker.errors import InputError, boundary

GROUP: Final = "lawspeaker.checks"
_BUILT_IN: Final[tuple[CheckKind, ...]] = (
    PatternKind(),
    SecretsKind(),
    PersonalDataKind(),
    InjectionKind(),
    TerraformKind(),
    ShapeKind(),
    JudgeKind(),
)

KINDS: Final[Mapping[str, CheckKind]] = MappingProxyType({kind.name: kind for kind in _BUILT_IN})


@lru_cache(maxsize=256)
def is_installed(name: str, paths: tuple[str, ...]) -> bool:
    """Whether a kind of that name is built in or installed on `paths` (`sys.path`), so that another process with the
    same paths can make its checks from their settings."""
    return name in KINDS or bool(entry_points(group=GROUP, name=name))


def extended(names: Iterable[str]) -> Mapping[str, CheckKind]:
    """The built-in kinds and the installed ones called `names`.

    An entry point names a class without arguments that is a `CheckKind`. Raises `InputError` for a name
    that is not installed, is installed twice or is built in, and `BoundaryError` for a package that cannot
    be loaded.
    """
    kinds = dict(KINDS)
    for name in names:
        if name in kinds:
            raise InputError(f"check kind '{name}': there is already one of that name")
        points = tuple(entry_points(group=GROUP, name=name))
        if len(points) != 1:
            found = "no installed package has it" if not points else "more than one installed package has it"
            raise InputError(f"check kind '{name}': {found} (entry-point group {GROUP})")
        with boundary(f"loading check kind '{name}'"):
            kind: CheckKind = points[0].load()()
        if kind.name != name:
            raise InputError(f"check kind '{name}': the package calls itself '{kind.name}'")
        kinds[name] = kind
    return MappingProxyType(kinds)
