"""A reader of Terraform that keeps the healthy blocks of a broken file.

tree-sitter reads anything and marks what it could not. One missing brace can make its tree nest the rest of the file
wrongly, so a text with errors is read again, top-level block by top-level block: a broken block never hides its
neighbours. Characters outside ASCII become one byte each before parsing, so that offsets in bytes are offsets in
characters.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import tree_sitter
import tree_sitter_hcl

from lawspeaker.checks.terraform.expressions import TooDeepError, expression, unquote
from lawspeaker.checks.terraform.syntax import Attribute, Block, Expression, Opaque, Program
from lawspeaker.checks.text.kept import kept, length

# Beyond this the parser takes seconds; no person writes such a file, and inconclusive says that it was not read.
MAX_CHARACTERS: Final = 1_000_000
# The parser's repair of errors takes time by the square of a run of blanks, and much for every opening of a run of
# interpolations; nobody writes such a run.
_GULF: Final = re.compile(r"\s{300}|(?:[$%]\{\s?){100}")
_MAX_DEPTH: Final = 20
_LANGUAGE: Final = tree_sitter.Language(tree_sitter_hcl.language())
# Between the words of a header: nothing that a search could divide in two ways, and comments only up to a length, so
# that a text full of openings takes linear time.
_GAP: Final = r"(?>[ \t]|/\*(?:[^*]|\*(?!/)){0,400}+\*/)"
_NAME: Final = rf'(?:{_GAP}++"?[A-Za-z_][\w-]*+"?|"[A-Za-z_][\w-]*+")'
_DECLARES: Final = (
    rf"(?:(?:resource|data|ephemeral){_NAME}{_NAME}"
    rf'|(?:variable|module|output|provider|check){_GAP}*+"[\w-]++"'
    r"|(?:locals|terraform)(?=[ \t]*+\{[ \t]*+(?:#.*)?\r?$))"
    rf"{_GAP}*+\{{"
)
# Every header starts with one of these.
HEADER_WORDS: Final = (
    *("resource", "data", "ephemeral", "variable", "module", "output", "provider", "check", "locals", "terraform"),
)
# What starts a top-level block, and so tells Terraform from other text.
HEADER: Final = re.compile(rf"^{_GAP}*+{_DECLARES}", re.MULTILINE)
# What stands before it on its line where it stands in prose, in a list, between tags or in a shell command. A line
# that a diff adds or removes is none, and neither is a comment.
BEFORE_HEADER: Final = re.compile(rf"^(?![ \t]*+(?:#|//|/\*|$)|[+-]\w)[^\n#]*?(?<![\w.-])(?={_DECLARES})", re.MULTILINE)
# Words between blocks (an unfenced answer, an ellipsis) are no code, so nothing is lost in not reading them.
_CODE: Final = re.compile(r'[={}"]')


@kept(length, most=64)
def parse(text: str) -> Program:
    """The blocks of `text`. Never raises."""
    if len(text) > MAX_CHARACTERS:
        return Program((), ((0, len(text)),))
    program = _read(text, 0)
    if not program.unread and not any(block.broken for block in program.blocks):
        return program
    starts = [match.start() for match in HEADER.finditer(text)]
    if not starts or starts == [0]:  # block by block would be the same again
        return program
    bounds = [*starts, len(text)]
    pieces = [_read(text[: starts[0]], 0)]
    pieces += [_read(text[a:b].rstrip(), a) for a, b in pairwise(bounds)]
    return Program(
        tuple(block for piece in pieces for block in piece.blocks),
        tuple(place for piece in pieces for place in piece.unread),
    )


def assignments(text: str) -> tuple[dict[str, Expression], bool]:
    """The values that a file of variables sets, and whether all of it could be read. Never raises."""
    if len(text) > MAX_CHARACTERS or _GULF.search(text):
        return {}, False
    root = tree_sitter.Parser(_LANGUAGE).parse(_one_byte_each(text)).root_node
    bodies = [node for node in root.children if node.type == "body"]
    reader = _Reader(text, 0)
    try:
        found = [reader.body(body, 0)[0] for body in bodies]
    except TooDeepError:
        return {}, False
    return {name: attribute.value for part in found for name, attribute in part.items()}, not root.has_error


def _read(text: str, offset: int) -> Program:
    """The top-level blocks of `text`, which stands at `offset` in the file."""
    if _GULF.search(text):
        return Program((), ((offset, offset + len(text)),))
    source = _one_byte_each(text)
    root = tree_sitter.Parser(_LANGUAGE).parse(source).root_node
    reader = _Reader(text, offset)
    blocks: list[Block] = []
    unread: list[tuple[int, int]] = []
    for node in _top(root):
        if node.type == "block":
            try:
                blocks.append(reader.block(node, 0))
            except TooDeepError:
                unread.append((offset + node.start_byte, offset + node.end_byte))
        elif node.type != "comment" and _CODE.search(text, node.start_byte, node.end_byte):
            unread.append((offset + node.start_byte, offset + node.end_byte))
    return Program(tuple(blocks), tuple(unread))


def _top(root: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """What stands at the top of the file; an error at the top is opened once, for the blocks in it."""
    for node in root.children:
        if node.type == "body":
            yield from node.children
        elif root.type == "ERROR" and node.type != "block":
            continue
        else:
            yield node
    if root.type == "ERROR":
        yield root


def _one_byte_each(text: str) -> bytes:
    if text.isascii():
        return text.encode()
    return re.sub(r"[^\x00-\x7f]", lambda char: "x" if char[0].isalnum() else "?", text).encode()


def _as_it_seems(name: str) -> bool:
    """Whether a name is written in its plain form: `ａcl` is another name than `acl`."""
    return name.isascii() or unicodedata.normalize("NFKC", name) == name


class _Reader:
    """Turns the parser's nodes into plain values."""

    def __init__(self, text: str, offset: int) -> None:
        self._text = text
        self._offset = offset

    def block(self, node: tree_sitter.Node, depth: int) -> Block:
        if depth > _MAX_DEPTH:
            raise TooDeepError
        words: list[str] = []
        header = node.end_byte
        body: tree_sitter.Node | None = None
        for child in node.children:
            if child.type == "identifier":
                words.append(self._text[child.start_byte : child.end_byte])
            elif child.type == "string_lit":
                words.append(unquote(self._text[child.start_byte + 1 : child.end_byte - 1]))
            elif child.type == "block_start":
                header = child.end_byte
            elif child.type == "body":
                body = child
        attributes, blocks = self.body(body, depth) if body else ({}, ())
        return Block(
            words[0] if words else "",
            tuple(words[1:]),
            attributes,
            blocks,
            node.start_byte + self._offset,
            header + self._offset,
            node.end_byte + self._offset,
            node.has_error or not all(map(_as_it_seems, (*words[:2], *attributes))),
        )

    def body(self, node: tree_sitter.Node, depth: int) -> tuple[dict[str, Attribute], tuple[Block, ...]]:
        attributes: dict[str, Attribute] = {}
        blocks: list[Block] = []
        for child in node.children:
            if child.type == "attribute":
                key, value = child.child(0), child.child(child.child_count - 1)
                if key is None or value is None:
                    continue
                name = self._text[key.start_byte : key.end_byte]
                # Whoever reads an attribute that is set twice takes one or the other.
                read = Opaque() if child.has_error or name in attributes else expression(self._text, value)
                place = (child.start_byte + self._offset, child.end_byte + self._offset)
                attributes[name] = Attribute(read, *place)
            elif child.type == "block":
                blocks.append(self.block(child, depth + 1))
        return attributes, tuple(blocks)
