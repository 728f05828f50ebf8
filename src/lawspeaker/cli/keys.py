"""`lawspeaker keys`: the log's keys."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import click

from lawspeaker.audit.custody import KeptSigner, kept, read_public
from lawspeaker.audit.keys import appoint, load_vault, new_origin
from lawspeaker.audit.log import open_log
from lawspeaker.audit.reader import read_vkeys
from lawspeaker.audit.rekey import rotate, rotate_vault
from lawspeaker.cli.audit.person import by_option, person
from lawspeaker.cli.context import home, inert, page, words
from lawspeaker.errors import InputError


def _signer_options(command: Callable[..., object]) -> Callable[..., object]:
    """`--signer` and `--public-key`, for a signing key that lies elsewhere."""
    command = click.option("--public-key", metavar="FILE", help="Its public half in PEM, from the one who keeps it.")(
        command
    )
    return click.option("--signer", metavar="URI", help="Sign with a key that lies elsewhere: hv:…, file2:…")(command)


def _kept(signer: str | None, public_key: str | None) -> Callable[[str], KeptSigner] | None:
    """What makes the signer of a log's name, where one was asked for."""
    if signer is None and public_key is None:
        return None
    if signer is None or public_key is None:
        raise InputError("--signer URI and --public-key FILE go together")
    uri, public = signer, read_public(Path(public_key))
    return lambda name: kept(name, uri, public)


@click.group()
def command() -> None:
    """Make the log's keys, and replace them."""


@command.command("init")
@click.option("--vault-key", metavar="FILE", help="Keep the key that opens texts there: another disk, another person.")
@_signer_options
def init_command(vault_key: str | None, signer: str | None, public_key: str | None) -> int:
    """Make the log and its keys, and print the public one. Keep that where the log's keeper cannot write."""
    folder = home() / "keys"
    if (folder / "log.vkey").exists():
        raise InputError(f"{folder}: the log has its keys already")
    target = _free(vault_key) if vault_key is not None else None
    if elsewhere := _kept(signer, public_key):
        appoint(folder, elsewhere(new_origin()))
    asyncio.run(_make())
    if target is not None:
        _move(folder / "vault.key", target)
    page().print(read_vkeys(home())[0])
    where = f"signing key at {inert(signer)}" if signer else f"signing key {folder / 'log.key'}"
    words().print(f"{where}, vault key {target or folder / 'vault.key'}: back up both, apart")
    return 0


@command.command("rotate")
@click.option("--why", required=True, help="The reason; kept encrypted beside the record of the rotation.")
@click.option("--vault", is_flag=True, help="Replace the vault key instead, and destroy the old one.")
@by_option
@_signer_options
def rotate_command(why: str, vault: bool, by: str | None, signer: str | None, public_key: str | None) -> int:
    """Replace the signing key, or the vault key; the log records it, under both. Nothing else may hold the log
    meanwhile."""
    if vault and (signer is not None or public_key is not None):
        raise InputError(
            "--vault is about the key that opens texts; --signer and --public-key are about the one that signs"
        )
    if vault:
        return _rotate_vault(why, person(by))
    receipt = rotate(home(), why, person(by), _kept(signer, public_key))
    page().print(read_vkeys(home())[0])
    words().print(
        f"record {receipt.index} says so, signed by both keys; {home() / 'keys' / 'log.key'} is new: back it up, "
        "destroy copies of the old one, and give the new public key to witnesses and verifiers"
    )
    return 0


def _rotate_vault(why: str, by: str) -> int:
    receipt = rotate_vault(home(), why, by)
    path = home() / "keys" / "vault.key"
    page().print(load_vault(path)[0].id)
    words().print(
        f"record {receipt.index} says so, under both keys; all texts are under the new one, and {path.resolve()} holds "
        "no other: back it up. Older copies of vault.db open with copies of the old key alone: make new ones of both, "
        "and destroy the old"
    )
    return 0


async def _make() -> None:
    async with await open_log(home()):
        pass


def _free(text: str) -> Path:
    path = Path(text).absolute()
    if path.exists() or not path.parent.is_dir():
        raise InputError(f"--vault-key {text[:200]}: there must be a folder, and no such file in it yet")
    return path


def _move(key: Path, target: Path) -> None:
    """Move the key and leave a link. Written and synced there first, so that no moment is without it."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.read_bytes())
            file.flush()
            os.fsync(descriptor)
        link = key.with_name("vault.key.tmp")
        link.symlink_to(target)
        link.rename(key)
    except (OSError, ValueError) as error:
        raise InputError(f"--vault-key {target}: {getattr(error, 'strerror', None) or error}") from None
