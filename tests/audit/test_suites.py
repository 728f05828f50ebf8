"""The fault suites of `benchmarks/audit`, each at a small size, so that they work when somebody runs them at theirs."""

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "audit"


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch):
    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module(name)

    return load


def test_every_flipped_bit_is_found_and_placed(suite, tmp_path, capsys):
    done = suite("bit_flips").run(tmp_path / "home", 40, 2, 60)
    assert sum(row[0] for row in done.values()) == 60
    assert all(flipped == found == placed for flipped, found, placed, _ in done.values()), capsys.readouterr().out
    assert set(done) > {"leaf", "head in log.db", "wrapped key", "text", "bundle", "published head"}


def test_no_fork_has_a_quorum_beside_the_truth(suite, tmp_path):
    assert suite("forks").run(tmp_path, 4, 3) == (0, 4)


def test_another_implementation_agrees(suite, tmp_path):
    done = suite("second_reader").run(tmp_path, 3, 600, 1)
    assert done["heads"] == 3
    assert done["inclusion proofs"] == done["consistency proofs"] >= 3


def test_nothing_of_a_canary_is_left(suite, tmp_path):
    before, after, closed = asyncio.run(suite("canaries").run(tmp_path / "home", 60))
    assert before[1] >= 60
    assert (after[:2], closed[:2]) == ([0, 0], [0, 0])


def mounts(folder: Path) -> bool:
    """Whether this process may mount a file system."""
    if os.geteuid() or not shutil.which("mount"):
        return False
    asked = ["mount", "-t", "tmpfs", "-o", "size=1m", "lawspeaker", str(folder)]
    if subprocess.run(asked, capture_output=True, check=False).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True


def test_a_full_disk_loses_nothing(suite, tmp_path):
    if not mounts(tmp_path):
        pytest.skip("only root can mount a small disk")
    acknowledged, wrong = suite("full_disk").run(tmp_path, 1, 1)
    assert acknowledged > 10
    assert wrong == []


@pytest.fixture
def traces():
    """Where strace can trace."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    traced = subprocess.run(["strace", "-qq", sys.executable, "-c", ""], capture_output=True, check=False)
    if traced.returncode:
        pytest.skip("strace cannot trace here")


@pytest.mark.usefixtures("traces")
def test_a_rotation_that_is_killed_loses_nothing(suite, tmp_path):
    outcomes, wrong = suite("rotations").run(tmp_path, 61)
    assert outcomes.total() >= 3
    assert wrong == []


@pytest.mark.usefixtures("traces")
def test_failing_calls_lose_nothing(suite, tmp_path):
    syscalls = suite("syscalls")
    syscalls.CALLS = "fdatasync,write"
    calls, outcomes, wrong = syscalls.run(tmp_path, ["EIO"], 1)
    assert calls["fdatasync"] >= 1
    assert outcomes["EIO: failed"] >= 1
    assert wrong == []


def test_vectors_are_read_as_they_are_published(suite, tmp_path):
    leaf = "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
    good = f'"leafIdx":0,"treeSize":1,"root":"{leaf}","leafHash":"{leaf}"'
    same = f'"size1":1,"size2":1,"root1":"{leaf}","root2":"{leaf}","proof":null'
    for name, text in {
        "inclusion/0/good": f'{{{good},"proof":null,"wantErr":false}}',
        "inclusion/0/long": f'{{{good},"proof":[""],"wantErr":true}}',
        "consistency/0/good": f'{{{same},"wantErr":false}}',
        "consistency/0/lies": f'{{{same},"wantErr":true}}',
    }.items():
        path = tmp_path / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    right = {path.stem: right for _, path, right in suite("vectors").compare(tmp_path)}
    assert right == {"good": True, "long": True, "lies": False}
