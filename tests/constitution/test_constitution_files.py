"""Files: which one a name means, what it may extend, and what is refused before it is read as YAML."""

import os
import time
from pathlib import Path

import pytest
from sample_law import KINDS, LAW

from lawspeaker.constitution.files import bundled
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution
from lawspeaker.errors import ConstitutionError

HEAD = "name: wing\nversion: 1.0.0\n"


def read(path: Path | str, root: Path | None = None) -> Constitution:
    return load(str(path), kinds=KINDS, root=root)


def error(path: Path | str, root: Path | None = None) -> str:
    with pytest.raises(ConstitutionError) as caught:
        read(path, root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def written(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_by_its_path(work: Path) -> None:
    written(work / "law.yaml", LAW)
    assert read("law.yaml").name == "house"
    assert read(work / "law.yaml").digest == read("law.yaml").digest


def test_neither_bundled_nor_a_file(work: Path) -> None:
    known = f"bundled are {', '.join(bundled())}"
    assert error("infrastrcture") == f"there is no file and no bundled constitution 'infrastrcture'; {known}"
    for name in ("nope.yaml", "no/such.yaml", "x\0y", "\ud800", "x" * 5000, "y" * 300):
        assert error(name).endswith(known)
        assert len(error(name)) < 200


def test_what_is_no_text(work: Path) -> None:
    assert error(work) == f"'{work}' is a folder, not a file"
    os.mkfifo(work / "pipe")
    assert error("pipe") == "'pipe' is not a regular file"
    written(work / "binary", b"\x7fELF\0\0")
    assert error("binary") == "binary: this is binary data, not the text of a constitution"
    written(work / "latin.yaml", "name: house\nsummary: caf\xe9\n".encode("latin-1"))
    assert error("latin.yaml") == "latin.yaml:2:13: not valid UTF-8: byte 0xe9; save the file as UTF-8"
    written(work / "wide.yaml", LAW.encode("utf-16"))
    assert error("wide.yaml") == "wide.yaml: this is binary data, not the text of a constitution"


def test_ten_megabytes_are_not_even_read(work: Path) -> None:
    written(work / "big.yaml", b"#" * 10_000_000)
    began = time.process_time()
    message = "big.yaml: 10,000,000 bytes is too big for a constitution; at most 1,048,576 are read"
    assert error("big.yaml") == message
    assert time.process_time() - began < 0.2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(work: Path) -> None:
    written(work / "law.yaml", LAW).chmod(0)
    assert error("law.yaml") == "law.yaml: cannot be read: Permission denied"


def test_a_base_lies_beside_the_file_that_names_it(work: Path) -> None:
    written(work / "top.yaml", HEAD + "extends: [parts/side.yaml]\n")
    written(work / "parts/side.yaml", HEAD + "extends: [base.yaml]\n")
    written(work / "parts/base.yaml", LAW)
    assert [principle.id for principle in read("top.yaml").principles] == ["no-shouting"]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("gone.yaml", "there is no file and no bundled constitution 'gone.yaml'; bundled are "),
        ("sub", "no bundled constitution 'sub', bundled are "),
        ("./sub", "'sub' is a folder, not a file"),
        ("../law.yaml", "'../law.yaml' lies outside the constitution's folder; bases lie beneath it"),
        ("/etc/hostname.yaml", "there is no file"),
        ("/dev/zero.yaml", "there is no file"),
        ("link.yaml", "'link.yaml' lies outside the constitution's folder; bases lie beneath it"),
        ("loop.yaml", "there is no file"),
    ],
)
def test_what_may_not_be_extended(work: Path, entry: str, what: str) -> None:
    written(work / "law.yaml", LAW)
    (work / "in/sub").mkdir(parents=True)
    (work / "in/link.yaml").symlink_to(work / "law.yaml")
    (work / "in/loop.yaml").symlink_to(work / "in/loop.yaml")
    written(work / "in/top.yaml", f"{HEAD}extends: ['{entry}']\n")
    os.chdir(work / "in")
    assert error("top.yaml").startswith(f"top.yaml:3:11: {what}")


def test_a_wider_root_lets_a_file_extend_its_neighbours(work: Path) -> None:
    written(work / "law.yaml", LAW)
    written(work / "in/top.yaml", HEAD + "extends: [../law.yaml]\n")
    assert read("in/top.yaml", root=work).principles[0].id == "no-shouting"
    assert "lies outside the constitution's folder" in error("law.yaml", root=work / "in")


def test_a_cycle_shows_its_chain(work: Path) -> None:
    written(work / "a.yaml", HEAD + "extends: [b.yaml]\n")
    written(work / "b.yaml", HEAD + "extends: [./c.yaml]\n")
    written(work / "c.yaml", HEAD + "extends: [b.yaml]\n")
    assert error("a.yaml") == "c.yaml:3:11: a cycle in extends: b.yaml -> c.yaml -> b.yaml"
    written(work / "d.yaml", HEAD + "extends: [d.yaml]\n")
    assert error("d.yaml") == "d.yaml:3:11: a cycle in extends: d.yaml -> d.yaml"


def test_a_base_named_twice(work: Path) -> None:
    written(work / "law.yaml", LAW)
    written(work / "top.yaml", HEAD + "extends: [law.yaml, ./law.yaml]\n")
    assert error("top.yaml") == "top.yaml:3:21: './law.yaml' is extended twice"


def test_a_chain_without_end(work: Path) -> None:
    for n in range(30):
        written(work / f"{n}.yaml", f"{HEAD}extends: [{n + 1}.yaml]\n")
    assert error("0.yaml") == "15.yaml:3:11: extends goes more than 16 files deep"


def test_a_lattice_is_read_once(work: Path) -> None:
    """Each layer names both files of the next, so that there are 2^14 ways down."""
    for n in range(14):
        for side in "ab":
            written(work / f"{n}{side}.yaml", f"{HEAD}extends: [{n + 1}a.yaml, {n + 1}b.yaml]\n")
    written(work / "14a.yaml", LAW)
    written(work / "14b.yaml", LAW)
    began = time.process_time()
    assert len(read("0a.yaml").principles) == 1
    assert time.process_time() - began < 2


def test_an_error_in_a_base_names_the_base(work: Path) -> None:
    written(work / "top.yaml", HEAD + "extends: [law.yaml]\n")
    written(work / "law.yaml", LAW.replace("severity", "sevrity"))
    assert error("top.yaml").startswith("law.yaml:8:5: unknown field 'sevrity'")
