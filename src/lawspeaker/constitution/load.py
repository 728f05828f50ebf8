"""Loading: from a name or a file to a constitution, strictly.

Whatever is wrong is a `ConstitutionError`: one line with file, line and column, what is wrong and what
would be right. Nothing is guessed and nothing is ignored, because a rule that was silently dropped is a
rule that nobody enforces.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from lawspeaker.constitution.clause import Clause, Kinds, read_clause
from lawspeaker.constitution.compose import Clauses, extend, merge
from lawspeaker.constitution.files import SourceFile, find, find_base, read_text
from lawspeaker.constitution.read import did_you_mean, fields, identifier, items, text
from lawspeaker.constitution.schema import Constitution
from lawspeaker.constitution.source import Node, Place, parse, shortened
from lawspeaker.errors import ConstitutionError

CONSTITUTION_FIELDS: Final = ("name", "version", "summary", "extends", "principles")
MAX_CHAIN: Final = 16
SEMANTIC_VERSION: Final = (
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)


def load(name_or_path: str, *, kinds: Kinds, root: Path | None = None) -> Constitution:
    """The constitution of that name, or in that file. `kinds` are the kinds of check that it may use.

    `root` is the folder beneath which every file must lie; without it, the folder of the file. Raises
    `ConstitutionError`.
    """
    file = find(name_or_path, root, ConstitutionError)
    return _Reading(kinds).constitution(file, read_text(file, partial(ConstitutionError, path=file.shown)))


def load_text(source: str, path: str = "constitution.yaml", *, kinds: Kinds, root: Path | None = None) -> Constitution:
    """The constitution in `source`, as if it stood in the file `path` (which need not exist). Raises
    `ConstitutionError`."""
    folder = Path(path).parent if root is None else root
    return _Reading(kinds).constitution(SourceFile(Path(path), path, folder, folder.resolve()), source)


class _Law(msgspec.Struct, frozen=True):
    """One file, composed with what it extends."""

    name: str
    version: str
    summary: str
    clauses: Clauses
    places: Mapping[str, Place]
    bases: tuple[str, ...]
    place: Place


class _Reading:
    """One load. Each file is read once, however many others extend it."""

    def __init__(self, kinds: Kinds) -> None:
        self._kinds = kinds
        self._read: dict[Path, _Law] = {}

    def constitution(self, file: SourceFile, source: str) -> Constitution:
        law = self._law(file, source, ())
        principles = tuple(clause.principle() for clause in law.clauses.values())
        if not principles:
            raise law.place.error("no principles; a law without any would release everything")
        return Constitution(law.name, law.version, principles, law.summary, law.places, law.bases)

    def _law(self, file: SourceFile, source: str, chain: tuple[SourceFile, ...]) -> _Law:
        """`chain` holds the files that led here, the first first."""
        root = parse(source, file.shown)
        found = fields(root, "a constitution", CONSTITUTION_FIELDS, required=("name", "version"))
        name, version = identifier(found["name"]), _version(found["version"])
        summary = text(found["summary"]) if "summary" in found else ""
        own = self._clauses(found["principles"]) if "principles" in found else ()
        base, bases = self._bases(found["extends"], (*chain, file)) if "extends" in found else ({}, ())
        for clause in own:
            _complete(clause, base)
        composed = extend(base, own, self._kinds)
        places = {field: node.place for field, node in found.items()}
        return _Law(name, version, summary, composed, places, bases, root.place)

    def _clauses(self, node: Node) -> tuple[Clause, ...]:
        clauses: dict[str, Clause] = {}
        for item in items(node):
            clause = read_clause(item, self._kinds)
            if clause.id in clauses:
                raise clause.place.error(
                    f"a second principle '{clause.id}'; the first is in line {clauses[clause.id].place.line}"
                )
            clauses[clause.id] = clause
        return tuple(clauses.values())

    def _bases(self, node: Node, chain: tuple[SourceFile, ...]) -> tuple[Clauses, tuple[str, ...]]:
        merged: Clauses = {}
        names: list[str] = []
        seen: set[Path] = set()
        for item in items(node):
            file = find_base(text(item), chain[-1], item.place.error)
            if file.path in seen:
                raise item.place.error(f"'{shortened(text(item))}' is extended twice")
            seen.add(file.path)
            base = self._base(file, item, chain)
            names.append(base.name)
            merged = merge(merged, base.clauses)
        return merged, tuple(names)

    def _base(self, file: SourceFile, entry: Node, chain: tuple[SourceFile, ...]) -> _Law:
        paths = [known.path for known in chain]
        if file.path in paths:
            circle = " -> ".join(known.shown for known in (*chain[paths.index(file.path) :], file))
            raise entry.place.error(f"a cycle in extends: {circle}")
        if len(chain) >= MAX_CHAIN:
            raise entry.place.error(f"extends goes more than {MAX_CHAIN} files deep")
        if file.path not in self._read:
            self._read[file.path] = self._law(file, read_text(file, entry.place.error), chain)
        return self._read[file.path]


def _complete(clause: Clause, base: Clauses) -> None:
    """A principle that no base defines must be whole; if it is not, the id may be a slip of the pen."""
    if clause.id not in base and "text" not in clause.stated:
        hint = did_you_mean(clause.id, base)
        raise clause.place.error(f"principle '{clause.id}' without 'text', and no base defines it{hint}")
    if clause.id not in base:
        clause.principle()


def _version(node: Node) -> str:
    value = text(node)
    if not re.fullmatch(SEMANTIC_VERSION, value):
        raise node.place.error(f"'{shortened(value)}' is not a semantic version; write one like 1.0.0")
    return value
