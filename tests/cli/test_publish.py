"""`audit witness` and `audit publish`, as two programs; `keys init`."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from lawspeaker.audit.log import lock_writer
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.witness import CosignerKey, cosignatures
from tests.audit.logs import make_log
from tests.audit.test_custody import keep
from tests.audit.test_witness import free_port
from tests.cli.conftest import PROGRAM


def test_the_program_publishes_only_what_was_cosigned(tmp_path, cli, work: Path):
    home, port = tmp_path / "home", free_port()
    make_log(home, 3)
    key = read_vkeys(home)[0]
    command = [PROGRAM, "audit", "witness", "--log", key, "--folder", str(tmp_path / "w"), "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        vkey = server.stdout.readline().strip()
        url = f"http://127.0.0.1:{port}"
        wait_for(url)
        asked = ("--witness", f"{url}={vkey}", "--require-witness", "1", "--to", "copy")
        for size in (3, 5):
            done = cli("audit", "publish", *asked, home=str(home))
            assert (done.returncode, done.stderr) == (0, "")
            note = (work / "copy").read_text()
            assert note.split("\n")[1] == str(size)
            assert len(cosignatures(note, [CosignerKey(vkey)])) == 1
            assert cli("audit", "verify", "--key", key, "--since", "copy", home=str(home)).returncode == 0
            make_log(home, 2)
    finally:
        server.terminate()
        server.wait(10)
        if server.stdout:
            server.stdout.close()
    before = (work / "copy").read_text()
    done = cli("audit", "publish", *asked, home=str(home))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "1 are required" in done.stderr
    assert (work / "copy").read_text() == before


def test_the_writer_goes_on_publishing_until_it_is_stopped(cli, work: Path):
    home = work / "home"
    make_log(home, 2)
    done = cli("audit", "publish", "--to", "copy", "--from-now-on", home=str(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert "publication.json" in done.stdout
    make_log(home, 3)
    assert (work / "copy").read_text() == (home / "log" / "checkpoint").read_text()
    assert (work / "copy").read_text().split("\n")[1] == "5"
    assert cli("audit", "publish", "--stop", home=str(home)).returncode == 0
    make_log(home, 1)
    assert (work / "copy").read_text().split("\n")[1] == "5"


def test_a_plan_is_not_made_beside_a_writer_or_of_nothing(cli, work: Path):
    home = work / "home"
    make_log(home, 1)
    lock = lock_writer(home)
    assert lock is not None
    for refused in (("--to", "copy", "--from-now-on"), ("--stop",)):
        done = cli("audit", "publish", *refused, home=str(home))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "stop it" in done.stderr
    os.close(lock)
    for bad in ((), ("--stop", "--to", "x"), ("--to", "s3://x"), ("--to", "x", "--require-witness", "1")):
        done = cli("audit", "publish", *bad, home=str(home))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not (home / "publication.json").exists()


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the witness does not answer")


def test_keys_are_made_with_the_vault_key_somewhere_else(cli, work: Path):
    vault = work / "safe" / "vault.key"
    vault.parent.mkdir()
    done = cli("keys", "init", "--vault-key", str(vault), home=str(work / "home"))
    assert (done.returncode, done.stdout.count("+")) == (0, done.stdout.strip().count("+"))
    assert done.stdout.split()[0] == read_vkeys(work / "home")[0]
    assert vault.read_text().startswith("VAULT+KEY+")
    assert vault.stat().st_mode & 0o777 == 0o600
    assert not (work / "home" / "keys" / "vault.key").read_bytes().startswith(b"PRIVATE")
    assert (work / "home" / "keys" / "vault.key").is_symlink()
    make_log(work / "home", 2)
    assert cli("audit", "verify", home=str(work / "home")).returncode == 0
    again = cli("keys", "init", home=str(work / "home"))
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    vault.rename(work / "away")
    assert "were not checked, for want of the vault key" in cli("audit", "verify", home=str(work / "home")).stderr
    refused = cli("audit", "maintain", "--keep", "1", home=str(work / "home"))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_the_signing_key_may_lie_elsewhere(cli, work: Path):
    home, (uri, public) = str(work / "home"), keep(work)
    for half in (("--signer", uri), ("--public-key", str(public))):
        refused = cli("keys", "init", *half, home=home)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    refused = cli("keys", "init", "--signer", "file2:/nowhere", "--public-key", str(public), home=home)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert not (work / "home" / "keys").exists()
    done = cli("keys", "init", "--signer", uri, "--public-key", str(public), home=home)
    assert done.returncode == 0, done.stderr
    assert uri in done.stderr
    assert b"PRIVATE" not in (work / "home" / "keys" / "log.key").read_bytes()
    make_log(work / "home", 1)
    assert cli("audit", "verify", "--key", done.stdout.strip(), home=home).returncode == 0
    moved = cli("keys", "rotate", "--why", "back", home=home)
    assert moved.returncode == 0, moved.stderr
    assert b"PRIVATE" in (work / "home" / "keys" / "log.key").read_bytes()


def test_the_vault_key_is_rotated(cli, work: Path):
    home, key = str(work / "home"), work / "home" / "keys" / "vault.key"
    make_log(work / "home", 3)
    old = key.read_text()
    for options in (("--signer", "file2:x"), ("--public-key", "x")):
        refused = cli("keys", "rotate", "--vault", "--why", "why", *options, home=home)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert key.read_text() == old
    done = cli("keys", "rotate", "--vault", "--why", "once a year", "--by", "Rina", home=home)
    assert done.returncode == 0, done.stderr
    assert key.read_text().split("+")[2] == done.stdout.strip() != old.split("+")[2]
    assert cli("audit", "verify", home=home).returncode == 0
    with LogReader(work / "home") as reader:
        (last,) = reader.recent(1)
    assert "once a year" in cli("audit", "show", last.record.id, home=home).stdout


def test_an_evidence_file_says_what_it_lacks_and_a_proof_that_is_too_long_is_refused(cli, work: Path):
    home, tool = work / "home", Path(__file__).parents[2] / "tools" / "verify_evidence.py"
    id_ = make_log(home, 3)[1].id
    key = read_vkeys(home)[0]

    def judged(text: str) -> subprocess.CompletedProcess[str]:
        (work / "evidence.json").write_text(text)
        command = [sys.executable, str(tool), str(work / "evidence.json"), "--key", key]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    whole = cli("audit", "export", id_, home=str(home))
    assert "1 record, 2 texts; the exchange names no law" in whole.stderr
    assert judged(whole.stdout).returncode == 0
    evidence = json.loads(whole.stdout)
    evidence["records"][0]["proof"].append(evidence["records"][0]["proof"][0])
    refused = judged(json.dumps(evidence))
    assert (refused.returncode, refused.stderr, refused.stdout.count("\n")) == (1, "", 1)
    assert refused.stdout.startswith("not ok: ")
    (home / "keys" / "vault.key").rename(work / "vault.key")
    locked = cli("audit", "export", id_, home=str(home))
    assert "1 record, 0 texts, 2 locked; the exchange names no law" in locked.stderr
    assert judged(locked.stdout).returncode == 0


def test_a_vault_key_is_never_written_over(cli, work: Path):
    (work / "there").write_text("mine")
    done = cli("keys", "init", "--vault-key", "there", home=str(work / "home"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert (work / "there").read_text() == "mine"
    assert not (work / "home" / "keys").exists()


def test_the_signing_key_is_rotated(cli, work: Path):
    home = str(work / "home")
    assert (refused := cli("keys", "rotate", "--why", "x", home=home)).returncode == 2
    assert refused.stderr.count("\n") == 1
    first = cli("keys", "init", home=home).stdout.strip()
    make_log(work / "home", 2)
    done = cli("keys", "rotate", "--why", "a laptop was lost", "--by", "Rina", home=home)
    assert (done.returncode, "a laptop" in done.stdout + done.stderr) == (0, False)
    second = done.stdout.strip()
    assert second != first
    assert read_vkeys(work / "home") == (second, first)
    make_log(work / "home", 2)
    for key in (first, second):
        assert cli("audit", "verify", "--key", key, home=home).returncode == 0
