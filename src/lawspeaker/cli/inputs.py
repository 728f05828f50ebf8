"""From paths to exchanges: what `check` is given to judge.

The Terraform files of one directory are one module; it is one exchange with the modules that it calls, and that call
it, in other directories that were given. Every other file is an exchange of its own. A file
that cannot be read as text is not skipped: it becomes inconclusive, since silence would be a pass. In a folder,
pictures and other binary files, symbolic links, and folders that are hidden or made by a program are left out; the
files among them are counted.
"""

import os
import posixpath
import stat
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.checks.terraform.local import called_by
from lawspeaker.errors import InputError
from lawspeaker.exchange import Exchange, Message, Text

MAX_BYTES: Final = 16 * 1024 * 1024
_PROGRAMS: Final = (".tf", ".tofu")
_MODULE: Final = (*_PROGRAMS, ".tfvars", ".tfvars.json")
# A file of such a name should be text: one that is not is told of, wherever it lies.
_TEXTUAL: Final = (*_MODULE, ".json", ".md", ".txt", ".yaml", ".yml", ".sh", ".py", ".hcl")
_BINARY: Final = "binary, so nothing in it was judged"
_SKIPPED: Final = {"node_modules", "__pycache__"}  # and every hidden folder: made by programs, not by people


class Given(msgspec.Struct, frozen=True):
    """What there is to judge, and how many files of folders were left out."""

    subjects: tuple["Subject", ...]
    left_out: int


class Subject(msgspec.Struct, frozen=True):
    """An exchange to judge; `unreadable` says why there is nothing to judge in it."""

    exchange: Exchange
    unreadable: str = ""


def read(arguments: Sequence[str]) -> Given:
    """What the arguments name: files, folders, `-` for standard input. Raises `InputError`."""
    folders: dict[str, list[Text]] = defaultdict(list)
    alone: list[Subject] = []
    left_out = 0
    for path in dict.fromkeys(path for argument in arguments for path in _files(argument)):
        named = path in arguments
        if not named and not stat.S_ISREG(os.lstat(path).st_mode):
            left_out += 1  # a link may lead out of the folder, a pipe nowhere
            continue
        data, problem = _read(path)
        text, problem = ("", problem) if problem else _decode(data)
        shown = os.fsencode(path).decode("utf-8", "replace")
        if problem == _BINARY and not named and not path.endswith(_TEXTUAL):
            left_out += 1
        elif problem:
            alone.append(Subject(_exchange([Text("", shown)]), problem))
        elif path.endswith(_MODULE):
            folders[posixpath.normpath(Path(path).parent)].append(Text(text, shown))
        else:
            alone.append(Subject(_exchange([Text(text, shown)])))
    found = (*(Subject(_exchange(files)) for files in _connected(folders)), *alone)
    if not found:
        raise InputError(f"{', '.join(arguments)}: no file to judge")
    return Given(found, left_out)


def _connected(folders: Mapping[str, list[Text]]) -> Iterator[list[Text]]:
    """The files of the folders, with those that one leads to in one list."""
    near: dict[str, set[str]] = {folder: set() for folder in folders}
    for folder, files in folders.items():
        for other in called_by(folder, [file.text for file in files if file.name.endswith(_PROGRAMS)]):
            if other in near:
                near[folder].add(other)
                near[other].add(folder)
    seen: set[str] = set()
    for folder in folders:
        waiting, group = [folder], set[str]()
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                group.add(at)
                waiting += near[at]
        if group:
            yield [file for each in folders if each in group for file in folders[each]]


def _exchange(files: Sequence[Text]) -> Exchange:
    return Exchange((Message("assistant", tuple(files)),))


def _files(argument: str) -> Iterator[str]:
    """The files that an argument names, in a fixed order."""
    try:
        mode = stat.S_IFREG if argument == "-" else Path(argument).stat().st_mode
    except FileNotFoundError:
        raise InputError(f"{argument}: no such file or folder") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{argument[:200]}: {getattr(error, 'strerror', None) or error}") from None
    if stat.S_ISREG(mode):
        yield argument
    elif stat.S_ISDIR(mode):
        yield from sorted(_walk(argument))
    else:
        raise InputError(f"{argument}: neither a file nor a folder")


def _walk(folder: str) -> Iterator[str]:
    """Everything below `folder` that is not a folder, hidden files (`.env`) too, hidden folders (`.git`) not."""

    def unreadable(error: OSError) -> None:
        raise InputError(f"{error.filename}: {error.strerror}; nothing was judged")

    for at, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in names:
            yield os.path.join(at, name)  # noqa: PTH118 - Path would drop the `./` that was given


def _read(path: str) -> tuple[bytes, str]:
    """Bytes, or why there are none."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
            if not data.strip():
                raise InputError("-: standard input is empty; nothing was judged")
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        return b"", f"larger than {MAX_BYTES // 1024 // 1024} MiB, so nothing in it was judged"
    return data, ""


def _decode(data: bytes) -> tuple[str, str]:
    if b"\0" in data:
        return "", _BINARY
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError as error:
        return "", f"not UTF-8 (byte {error.start}), so nothing in it was judged"
