"""A checkpoint folder: where it is, whether it may be run, and what a record calls it."""

import hashlib
import json
import re
from pathlib import Path
from typing import Final

from lawspeaker.errors import ModelConfigError

# What makes a model; its card and its training state do not.
_PARTS: Final = ("*.safetensors", "*.json", "*.model", "*.jinja", "merges.txt", "vocab.txt")
_OTHERS: Final = frozenset({"trainer_state.json", "training_args.json", "lawspeaker.json"})
_HUB: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def find(address: str, place: str) -> Path:
    """The folder of `place`: itself, or the cached files of that name on the hub. Raises `ModelConfigError`."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or not _HUB.fullmatch(place):
        raise ModelConfigError(f"{address}: no such folder; want local:FOLDER or local:ORG/NAME")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(place, allow_patterns=list(_PARTS)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        why = type(error).__name__
        raise ModelConfigError(f"{address}: no such folder here, and the hub did not give it ({why})") from None


def inspect(address: str, folder: Path) -> None:
    """Raises `ModelConfigError` for a folder that holds no model, or one that would need code or pickles of its own."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except FileNotFoundError:
        raise ModelConfigError(f"{address}: no config.json in it; want a checkpoint folder") from None
    except (OSError, ValueError) as error:
        raise ModelConfigError(f"{address}: its config.json cannot be read ({error})") from None
    if not isinstance(config, dict) or "model_type" not in config:
        raise ModelConfigError(f"{address}: its config.json names no model_type")
    if "auto_map" in config:
        raise ModelConfigError(f"{address}: it needs code from its own repository, which is never run")
    if not any(folder.glob("*.safetensors")):
        raise ModelConfigError(f"{address}: no *.safetensors in it; pickled weights are never loaded")


def digest_of(folder: Path) -> str:
    """One digest over names and contents of the files that make the model."""
    state = hashlib.sha256(b"lawspeaker/model/local\0")
    files = {path for part in _PARTS for path in folder.glob(part) if path.name not in _OTHERS}
    for path in sorted(files, key=lambda path: path.name):
        with path.open("rb") as file:
            inner = hashlib.file_digest(file, "sha256").digest()
        state.update(path.name.encode() + b"\0" + inner)
    return "sha256:" + state.hexdigest()
