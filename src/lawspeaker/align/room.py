"""Whether a run has the room that it will need, before it begins: disk for checkpoints, memory for training.

Least figures: activations and the cache of generation come on top, and nobody knows them before. What is surely too
little is refused; what may be enough is tried.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Final

from lawspeaker.align.recipe import Grpo, Recipe
from lawspeaker.errors import InputError

_GIB: Final = 2**30
_SINGLE: Final = 4  # bytes of a weight in single precision
_ADAM: Final = 4 * _SINGLE  # weight, gradient and two moments
_HALF: Final = 2


def parameters(folder: Path) -> int:
    """Weights of a checkpoint, by the headers of its files."""
    count = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, tensor in head.items():
            if name != "__metadata__":
                size = 1
                for side in tensor["shape"]:
                    size *= side
                count += size
    return count


def require_room(base: Path, recipe: Recipe, folder: Path) -> None:
    """Raises `InputError` where a model of this size cannot be trained or saved here."""
    count = parameters(base)
    disk = count * _SINGLE * _copies(recipe)  # those that a run that goes on has already are among them
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free + _held(folder)
    if disk > free:
        raise InputError(f"{folder}: its checkpoints take {_gib(disk)} of disk, and {_gib(free)} are free")
    memory, free, where = count * _each(recipe), *_memory()
    if memory > free:
        hint = "" if recipe.lora else "; lora: {} takes less"
        raise InputError(f"training {base.name} takes {_gib(memory)} of {where}, and {_gib(free)} are free{hint}")


def _copies(recipe: Recipe) -> int:
    """Checkpoints that lie side by side when there are most: `sl`, the policy, and what comes before it."""
    copies = 2 + (recipe.preference is not None)
    if recipe.stop:
        copies += 2  # the best look and the one before
    if isinstance(recipe.policy, Grpo) and not recipe.lora:
        copies += 6  # two of its checkpoints for a moment, each with two moments for each weight
    return copies


def _held(folder: Path) -> int:
    """Bytes of the checkpoints that are there already."""
    return sum(path.stat().st_size for path in folder.glob("*/**/*") if path.is_file())


def _each(recipe: Recipe) -> int:
    """Bytes for a weight."""
    import torch

    weight = _HALF if torch.cuda.is_available() else _SINGLE
    if recipe.lora:
        return weight
    if isinstance(recipe.policy, Grpo):
        return _ADAM + _SINGLE * (1 + (recipe.preference is not None))  # the reference, and the preference model
    return _ADAM


def _memory() -> tuple[int, str]:
    """What is free where training happens, over the devices of `accelerate launch` on this machine."""
    import torch

    if torch.cuda.is_available():
        devices = min(torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        return sum(torch.cuda.mem_get_info(n)[0] for n in range(devices)), "GPU memory"
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "memory"
    return available * 1024, "memory"


def _gib(count: int) -> str:
    return f"{count / _GIB:.1f} GiB"
