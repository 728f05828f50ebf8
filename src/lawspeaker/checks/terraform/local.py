"""Local modules: the folders that the calls of a program name, as far as they were given.

A call of `./modules/store` is followed where the files of that folder are there, never beyond what was given and never
into a module that is being followed already. What the called module declares is then part of the program, with the
call's inputs for its variables, and its outputs are known to the caller.
"""

import posixpath
from collections.abc import Hashable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from lawspeaker.checks.terraform.module import Module, Place, Resource, evaluated
from lawspeaker.checks.terraform.parse import parse
from lawspeaker.checks.terraform.syntax import Literal
from lawspeaker.checks.terraform.values import Value

# Of the call itself, not inputs of the module.
_META: Final = frozenset({"source", "version", "count", "for_each", "providers", "depends_on"})
# Times that modules are evaluated for one program: calls of calls multiply.
_MOST: Final = 200
# An output may be the input of another call, whose output may be one again.
_PASSES: Final = 3

Node = TypeVar("Node", bound=Hashable)
Outputs = Mapping[str, Value]


class Folder(msgspec.Struct, frozen=True):
    """The Terraform files of one folder, and its files of variables (`module` says which). The last `overrides` of
    the files override the others."""

    path: str
    texts: tuple[str, ...]
    given: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    overrides: int = 0


def target(path: str, source: object) -> str | None:
    """The folder that a call in the folder `path` names; None where it names no folder beside it."""
    if not isinstance(source, str) or not source.startswith(("./", "../")):
        return None
    return posixpath.normpath(posixpath.join(path, source))


def called_by(path: str, texts: Sequence[str]) -> list[str]:
    """The folders that the program with `texts` in the folder `path` calls, in order."""
    sources = [
        block.attributes["source"].value
        for text in texts
        for block in parse(text).blocks
        if block.type == "module" and "source" in block.attributes
    ]
    found = [target(path, source.value) for source in sources if isinstance(source, Literal)]
    return list(dict.fromkeys(folder for folder in found if folder is not None))


def roots(calls: Mapping[Node, Sequence[Node]]) -> dict[Node, list[Node]]:
    """The folders that no other one reaches, each with those that it reaches. Of folders that only reach each other,
    the first counts as one that nobody reaches."""
    called = {folder for path, folders in calls.items() for folder in folders if folder != path}
    found: dict[Node, list[Node]] = {}
    reached: set[Node] = set()
    for path in [*(path for path in calls if path not in called), *calls]:
        if path not in reached:
            found[path] = _reached(path, calls)
            reached.update((path, *found[path]))
    return found


def _reached(path: Node, calls: Mapping[Node, Sequence[Node]]) -> list[Node]:
    seen = {path: None}
    waiting = [path]
    while waiting:
        for folder in calls[waiting.pop()]:
            if folder in calls and folder not in seen:
                seen[folder] = None
                waiting.append(folder)
    return [folder for folder in seen if folder != path]


def followed(root: Folder, near: Sequence[Folder]) -> Module:
    """The module of `root` with those of `near` that it calls. Files are numbered in the order of the folders. Never
    raises."""
    return _Follower((root, *near)).module(root, {}, "", ())[0]


class _Follower:
    def __init__(self, folders: Sequence[Folder]) -> None:
        self._folders = {folder.path: folder for folder in folders}
        self._texts = tuple(text for folder in folders for text in folder.texts)
        self._first: dict[str, int] = {}
        for folder in folders:
            self._first[folder.path] = sum(len(other.texts) for other in folders[: len(self._first)])
        self._evaluated = 0

    def module(self, folder: Folder, inputs: Outputs, within: str, chain: tuple[str, ...]) -> tuple[Module, Outputs]:
        """The module of `folder` with what it calls, and its outputs. `chain` are the folders that led here."""
        chain = (*chain, folder.path)
        outputs: dict[str, Outputs] = {}
        several = any("module." in text for text in folder.texts)
        for _ in range(_PASSES if several else 1):
            own = self._own(folder, inputs, outputs, within, root=len(chain) == 1)
            children = [(call, *self._child(folder, call, name, chain)) for call, name in _named(own)]
            new = {
                call.name.removeprefix(within): given
                for call, _, given in children
                if given is not None and not {"count", "for_each"} & call.written.keys()
            }
            if new == outputs:
                break
            outputs = new
        found = {output.name.removeprefix(within): output.get("value") for output in own.of("output")}
        return self._together(own, [(call, child) for call, child, _ in children if child is not None]), found

    def _own(
        self, folder: Folder, inputs: Outputs, outputs: Mapping[str, Outputs], within: str, *, root: bool
    ) -> Module:
        """What the folder declares itself. Terraform reads files of variables for the program's own folder only."""
        self._evaluated += 1
        given, perhaps = (folder.given, folder.perhaps) if root else ((), ())
        first = self._first[folder.path]
        return evaluated(
            folder.texts, given, perhaps, folder.overrides, inputs=inputs, outputs=outputs, within=within, first=first
        )

    def _child(
        self, folder: Folder, call: Resource, name: str, chain: tuple[str, ...]
    ) -> tuple[Module | None, Outputs | None]:
        """The module that `call` makes, and its outputs; nothing where it is not followed."""
        path = target(folder.path, call.get("source"))
        if path is None or path in chain or path not in self._folders:
            return None, None
        if self._evaluated >= _MOST:
            # Nobody knows what it sets up, and it is not judged by itself: it is code that was not read.
            first, texts = self._first[path], self._folders[path].texts
            return Module((), {}, tuple(Place(first + at, 0, len(text)) for at, text in enumerate(texts))), None
        inputs = {name: value for name, value in call.values.items() if name not in _META}
        return self.module(self._folders[path], inputs, f"{name}/", chain)

    def _together(self, own: Module, children: Sequence[tuple[Resource, Module]]) -> Module:
        resources = {type: list(found) for type, found in own.resources.items()}
        for _, child in children:
            for type, found in child.resources.items():
                resources.setdefault(type, []).extend(found)
        unread = (*own.unread, *(place for _, child in children for place in child.unread))
        inner = frozenset[str]().union(*(child.followed for _, child in children))
        known = inner.union(call.address for call, _ in children)
        return Module(self._texts, {type: tuple(found) for type, found in resources.items()}, unread, known)


def _named(module: Module) -> list[tuple[Resource, str]]:
    """The calls of `module`, each turn of a loop with a name of its own."""
    turns: dict[str, int] = {}
    found = []
    for call in module.of("module"):
        turn = turns[call.name] = turns.get(call.name, 0) + 1
        found.append((call, call.name if turn == 1 else f"{call.name} ({turn})"))
    return found
