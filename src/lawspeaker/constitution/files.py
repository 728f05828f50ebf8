"""Finding and reading constitution files.

A name is a bundled constitution, or a file. What a file extends lies beneath its root (the folder of the
file that was asked for, unless the caller says otherwise): a constitution from elsewhere must not read this
machine's files.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.constitution.source import MAX_BYTES, place_in, shortened, too_big
from lawspeaker.errors import ConstitutionError

LIBRARY: Final = Path(__file__).parent / "library"

# Makes the error for what is wrong with a name, at the place that names it.
Fail = Callable[[str], ConstitutionError]


class SourceFile(msgspec.Struct, frozen=True):
    """`path` with every link followed, `shown` in errors, `folder` for what it extends; a bundled file has
    no `root`."""

    path: Path
    shown: str
    folder: Path
    root: Path | None


def bundled() -> tuple[str, ...]:
    """The names of the bundled constitutions."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.yaml")))


def find(name_or_path: str, root: Path | None, fail: Fail) -> SourceFile:
    """The bundled constitution or the file called that."""
    if name_or_path in bundled():
        return _bundled(name_or_path)
    path = Path(name_or_path)
    if root is not None:
        return _file(path, str(path), _resolved(root, fail), fail)
    return _file(path, str(path), _resolved(path.parent, fail), fail, anywhere=True)


def find_base(name_or_path: str, beside: SourceFile, fail: Fail) -> SourceFile:
    """What a file extends. A name without slash and suffix is a bundled one, whatever files lie around."""
    if name_or_path in bundled():
        return _bundled(name_or_path)
    if "/" not in name_or_path and not name_or_path.endswith((".yaml", ".yml")):
        raise fail(f"no bundled constitution '{shortened(name_or_path)}', {_known()}; a file ends in .yaml")
    if beside.root is None:
        raise fail("a bundled constitution extends only bundled ones")
    shown = os.path.normpath(Path(beside.shown).parent / name_or_path)
    return _file(beside.folder / name_or_path, shown, beside.root, fail)


def read_text(file: SourceFile, fail: Fail) -> str:
    """The file's text: UTF-8, of a size that a person could have written."""
    try:
        with file.path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise ConstitutionError(too_big(max(size, len(data))), file.shown)
    return decoded(data, file.shown)


def decoded(data: bytes, shown: str) -> str:
    """`data` as text. Raises `ConstitutionError` for binary data and for what is not UTF-8."""
    if b"\0" in data:
        raise ConstitutionError("this is binary data, not the text of a constitution", shown)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        place = place_in(before, len(before), shown)
        raise place.error(f"not valid UTF-8: byte 0x{data[error.start]:02x}; save the file as UTF-8") from None


def _known() -> str:
    return f"bundled are {', '.join(bundled())}"


def _bundled(name: str) -> SourceFile:
    return SourceFile(LIBRARY / f"{name}.yaml", f"bundled/{name}.yaml", LIBRARY, None)


def _file(path: Path, shown: str, root: Path, fail: Fail, *, anywhere: bool = False) -> SourceFile:
    """The regular file at `path`, beneath `root` unless it may lie `anywhere`."""
    try:
        resolved = Path(os.path.realpath(path, strict=True))
        regular, folder = resolved.is_file(), resolved.is_dir()
    except (OSError, ValueError):  # ValueError: a name with a zero byte or a lone surrogate
        raise fail(f"there is no file and no bundled constitution '{shortened(shown)}'; {_known()}") from None
    if not anywhere and not resolved.is_relative_to(root):
        raise fail(f"'{shown}' lies outside the constitution's folder; bases lie beneath it")
    if not regular:
        raise fail(f"'{shown}' is a folder, not a file" if folder else f"'{shown}' is not a regular file")
    return SourceFile(resolved, shown, path.parent, root)


def _resolved(folder: Path, fail: Fail) -> Path:
    try:
        return Path(os.path.realpath(folder, strict=True))
    except (OSError, ValueError):
        raise fail(f"there is no folder '{shortened(str(folder))}'; {_known()}") from None
