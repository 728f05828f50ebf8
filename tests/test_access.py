"""Access keys: made once, stored hashed, bounded, and refused from the moment that they are revoked."""

import stat
import threading
from pathlib import Path

import pytest

from lawspeaker.access import AccessError, Key, Keyring
from lawspeaker.errors import InputError


class _Clock:
    now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_256_bits_and_is_nowhere_in_the_file(tmp_path: Path) -> None:
    with Keyring(tmp_path / "home") as keyring:
        made = [keyring.add("web") for _ in range(20)]
        assert len({secret for _, secret in made}) == 20
        assert all(secret.startswith("lsp_") and len(secret) == 4 + 43 for _, secret in made)
        assert [keyring.admit(secret) for _, secret in made] == [key for key, _ in made]
        assert keyring.keys() == [key for key, _ in made]
    files = list((tmp_path / "home").iterdir())
    stored = b"".join(file.read_bytes() for file in files)
    assert not [secret for _, secret in made if secret.encode() in stored or secret[4:].encode() in stored]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


@pytest.mark.parametrize(
    "secret", ["", "any", "lsp_", "lsp_" + "a" * 43, "lsp_" + "a" * 44, "lsp_" + "é" * 43, "\ud800"]
)
def test_what_is_no_key_of_ours(tmp_path: Path, secret: str) -> None:
    with Keyring(tmp_path) as keyring, pytest.raises(AccessError, match="not known here"):
        keyring.add("web")
        keyring.admit(secret)


def test_revoked_at_once_also_for_whoever_has_it_open(tmp_path: Path) -> None:
    with Keyring(tmp_path) as serving, Keyring(tmp_path) as other:
        key, secret = other.add("web")
        assert serving.admit(secret) == key
        other.revoke("web")
        with pytest.raises(AccessError, match="revoked"):
            serving.admit(secret)
        with pytest.raises(InputError, match="no valid key is called 'web'"):
            other.revoke("web")


def test_two_keys_of_one_name_are_revoked_by_id(tmp_path: Path) -> None:
    with Keyring(tmp_path) as keyring:
        first, _ = keyring.add("web")
        keyring.add("web")
        with pytest.raises(InputError, match="2 keys are called 'web'"):
            keyring.revoke("web")
        assert keyring.revoke(first.id).id == first.id


def test_it_expires(tmp_path: Path) -> None:
    clock = _Clock()
    with Keyring(tmp_path, clock) as keyring:
        _, secret = keyring.add("web", lasts=60)
        clock.now += 59
        keyring.admit(secret)
        clock.now += 1
        with pytest.raises(AccessError, match="expired"):
            keyring.admit(secret)


def test_requests_are_limited_by_the_minute_across_processes(tmp_path: Path) -> None:
    clock = _Clock()
    with Keyring(tmp_path, clock) as one, Keyring(tmp_path, clock) as two:
        _, secret = one.add("web", requests_per_minute=3)
        for keyring in (one, two, one):
            keyring.admit(secret)
        with pytest.raises(AccessError, match="too many requests") as error:
            two.admit(secret)
        assert 1 <= error.value.wait <= 60
        clock.now += error.value.wait
        two.admit(secret)


def test_tokens_are_limited_by_the_day(tmp_path: Path) -> None:
    clock = _Clock()
    with Keyring(tmp_path, clock) as keyring:
        key, secret = keyring.add("web", tokens_per_day=100)
        keyring.spend(keyring.admit(secret), 99)
        keyring.spend(keyring.admit(secret), 50)
        with pytest.raises(AccessError, match="spent for today") as error:
            keyring.admit(secret)
        clock.now += error.value.wait
        assert keyring.admit(secret) == key


def test_nothing_is_lost_when_many_count(tmp_path: Path) -> None:
    with Keyring(tmp_path) as keyring:
        _, secret = keyring.add("web", requests_per_minute=10**6)
    outcomes: list[Key] = []

    def ask() -> None:
        with Keyring(tmp_path, _Clock()) as mine:
            outcomes.extend(mine.admit(secret) for _ in range(25))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 100
    with Keyring(tmp_path, _Clock()) as keyring:
        assert keyring._used(outcomes[0].id, "requests", int(_Clock.now) // 60) == 100


@pytest.mark.parametrize("word", ["", "a b", "x" * 65, "-a", "a\n"])
def test_names_that_cannot_be(tmp_path: Path, word: str) -> None:
    with Keyring(tmp_path) as keyring:
        with pytest.raises(InputError, match="the name of a key"):
            keyring.add(word)
        with pytest.raises(InputError, match="the tenant of a key"):
            keyring.add("web", tenant=word)


def test_a_file_that_is_no_database_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "access.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=r"access\.db: file is not a database"):
        Keyring(tmp_path)
