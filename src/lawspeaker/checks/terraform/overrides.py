"""Override files: `override.tf` and `*_override.tf`, whose blocks stand over those of the other files.

An attribute of an override replaces the block's own, and nested blocks of one type replace all of that type. What is
replaced counts where the block stands that it replaces something in.
"""

from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from lawspeaker.checks.terraform.syntax import Attribute, Block


def is_override(name: str) -> bool:
    """Whether a file of this name overrides the others of its folder."""
    stem = PurePosixPath(name).name.partition(".")[0]
    return stem == "override" or stem.endswith("_override")


def merged(files: Sequence[Sequence[Block]], overrides: Sequence[Sequence[Block]]) -> list[tuple[int, Block]]:
    """The blocks of `files` with those of `overrides` over them, each with the number of its file."""
    found = [(at, block) for at, blocks in enumerate(files) for block in blocks]
    places = {(block.type, block.labels): index for index, (_, block) in enumerate(found)}
    for at, blocks in enumerate(overrides, len(files)):
        for block in blocks:
            index = places.get((block.type, block.labels)) if block.labels else None
            if index is None:
                found.append((at, block))  # of locals, the last one counts
            else:
                found[index] = (found[index][0], _over(found[index][1], block))
    return found


def _over(base: Block, block: Block) -> Block:
    replaced = {_kind(child) for child in block.blocks}
    kept = [child for child in base.blocks if _kind(child) not in replaced]
    return msgspec.structs.replace(
        base,
        attributes={**base.attributes, **{name: _at(base, given) for name, given in block.attributes.items()}},
        blocks=(*kept, *(_moved(child, base) for child in block.blocks)),
        broken=base.broken or block.broken,
    )


def _kind(block: Block) -> str:
    return block.labels[0] if block.type == "dynamic" and block.labels else block.type


def _at(place: Block, attribute: Attribute) -> Attribute:
    return Attribute(attribute.value, place.start, place.header)


def _moved(block: Block, place: Block) -> Block:
    return msgspec.structs.replace(
        block,
        attributes={name: _at(place, given) for name, given in block.attributes.items()},
        blocks=tuple(_moved(child, place) for child in block.blocks),
        start=place.start,
        header=place.header,
        end=place.end,
    )
