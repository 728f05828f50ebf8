"""Heavy checks run in a process that is ended when they take too much, and others go on."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lawspeaker.checks.processes.task import Findings, Job, Task, unfinished
from lawspeaker.checks.processes.workers import Workers
from lawspeaker.checks.registry import KINDS, is_installed
from lawspeaker.checks.results import Results, content, key
from lawspeaker.constitution.kinds import UNSTATED
from lawspeaker.constitution.schema import CheckSpec
from lawspeaker.exchange import Exchange, ask
from lawspeaker.finding import Finding

EXCHANGE = ask("hello").with_answer('resource "aws_s3_bucket_acl" "b" {\n  acl = "public-read"\n}\n')
TERRAFORM = Job("terraform", ["public-storage"], "p", frozenset({"answer"}))
# A kind as a third party installs it: one check for each way to do harm.
HARM = """
import os, re, signal, sys, time
from multiprocessing.connection import Connection
from lawspeaker.finding import Finding

counted = []

class Kind:
    name, version, schema = "harm", "1", {}
    def prepare(self, settings, principle):
        if settings == "refuse":
            raise RuntimeError("secret words")
        return Check(settings, principle)
    def overrules(self, settings):
        return False
    def loosened(self, base, extended):
        return None

class Evil:
    def __reduce__(self):
        return os.mkdir, (os.path.join(os.path.dirname(__file__), "made"),)

# The second makes every finding of whoever unpickles it say that all is well.
SAID = {
    "forge": b'{"findings": []}',
    "pickle": b"\\x80\\x02clawspeaker.finding\\nFinding\\n(N}X\\x07\\0\\0\\0outcomeX\\x06\\0\\0\\0upheldstb.",
    "number": b'{"findings": [{"principle": "p", "check": "harm/x", "outcome": "upheld", "reason": 5}]}',
    "nested": b"[" * 100_000,
}

class Check:
    def __init__(self, what, principle):
        self.what, self.principle = what, principle
    def examine(self, exchange, scopes):
        if self.what == "loop":
            while True:
                pass
        if self.what == "pattern":
            re.fullmatch("(x+x+)+y", "x" * 60)
        if self.what == "sleep":
            time.sleep(600)
        if self.what == "memory":
            held = []
            while True:
                held.append(bytes(1 << 20))
        if self.what == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.what == "leave":
            os._exit(7)
        if self.what == "count":
            counted.append(1)
            return [Finding(self.principle, "harm/" + str(len(counted)), "upheld", "Fine.")]
        if self.what == "print":
            print("noise")
        if self.what == "unreadable":
            return [Finding(self.principle, "harm/x", "upheld", lambda: 0)]
        if self.what == "evil":
            return [Finding(self.principle, "harm/x", "upheld", Evil())]
        if self.what in SAID:
            Connection(int(sys.argv[1])).send_bytes(SAID[self.what])
            os._exit(0)
        if self.what == "begin":
            os.write(int(sys.argv[1]), b"\\0\\0\\0\\xff[")
            time.sleep(600)
        if self.what == "boast":
            os.write(int(sys.argv[1]), b"\\x7f\\0\\0\\0")
            time.sleep(600)
        if self.what == "hang up":
            os.close(int(sys.argv[1]))
            time.sleep(600)
        return [Finding(self.principle, "harm/" + str(os.getpid()), "upheld", "Fine.")]
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "harm.py").write_text(HARM)
    info = tmp_path / "harm-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: harm\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lawspeaker.checks]\nharm = harm:Kind\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def harm(what: str) -> Job:
    return Job("harm", what, "p", frozenset({"answer"}))


@pytest.fixture
def workers(installed: Path) -> Iterator[Workers]:
    with contextlib.closing(Workers(2, seconds=0.3, patience=15, megabytes=200)) as own:
        yield own


def run(workers: Workers, *jobs: Job, budget: float = 120.0, exchange: Exchange = EXCHANGE) -> list[Finding]:
    found = list(workers.examine(exchange, jobs, time.monotonic() + budget))
    assert len(found) == len(jobs)
    return [findings[0] for findings in found]


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("loop", "The check was ended: it took more than 0.3 s of processor time."),
        ("pattern", "The check was ended: it took more than 0.3 s of processor time."),
        ("memory", "The check was ended: it needs more than 200 MB of memory."),
        ("crash", f"The check was ended: it broke off (signal {int(signal.SIGSEGV)})."),
        ("leave", "The check was ended: it broke off (exit 7)."),
        ("unreadable", "the check 'harm' failed: TypeError."),
        ("refuse", "the check kind 'harm' failed: RuntimeError."),
        ("evil", "the check 'harm' failed: TypeError."),
        ("forge", "the check returned no finding."),
        ("pickle", "reading what the check says failed: UnicodeDecodeError."),
        ("number", "reading what the check says failed: ValidationError."),
        ("nested", "reading what the check says failed: RecursionError."),
    ],
)
def test_a_check_that_does_harm_is_inconclusive_and_others_go_on(
    workers: Workers, installed: Path, what: str, reason: str
) -> None:
    first, harmful, last = run(workers, TERRAFORM, harm(what), harm("nothing"))
    assert (first.check, first.outcome) == ("terraform/public-storage", "violated")
    assert (harmful.check, harmful.outcome) == ("harm/unfinished", "inconclusive")
    assert harmful.reason == reason
    assert last.outcome == "upheld", last.reason
    assert not (installed / "made").exists()


@pytest.mark.parametrize("what", ["begin", "boast", "hang up"])
def test_a_process_that_begins_to_answer_and_does_not_end_is_ended(installed: Path, what: str) -> None:
    with contextlib.closing(Workers(1, patience=0.5)) as own:
        harmful, fine = run(own, harm(what), harm("nothing"))
    assert harmful.reason == "The check was ended: it said something else than findings."
    assert fine.outcome == "upheld"


def test_a_check_that_waits_is_ended_by_the_clock(installed: Path) -> None:
    with contextlib.closing(Workers(1, patience=0.5)) as own:
        slept, fine = run(own, harm("sleep"), harm("nothing"))
    assert slept.reason == "The check was ended: it took more than 0.5 s."
    assert fine.outcome == "upheld"


def test_a_process_is_used_again_and_what_it_prints_goes_nowhere(
    workers: Workers, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = run(workers, harm("print"))[0], run(workers, harm("nothing"))[0]
    assert first.check == second.check != f"harm/{os.getpid()}"
    assert capfd.readouterr() == ("", "")


def test_what_is_not_done_in_time_is_late_and_its_process_is_gone(workers: Workers) -> None:
    (fine,) = run(workers, harm("nothing"))
    began = time.monotonic()
    slept, late = run(workers, harm("sleep"), harm("nothing"), budget=0.2)
    assert time.monotonic() - began < 1.5
    assert {slept.reason, late.reason} == {"The time for this assessment was over before the check was done."}
    with pytest.raises(ProcessLookupError):
        os.kill(int(fine.check.removeprefix("harm/")), 0)


def test_a_caller_that_stops_asking_ends_the_process(workers: Workers) -> None:
    found = workers.examine(EXCHANGE, [harm("nothing"), harm("loop")], time.monotonic() + 20)
    process = int(next(found)[0].check.removeprefix("harm/"))
    found.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_more_work_than_processes_waits_for_room(workers: Workers) -> None:
    async def many() -> list[list[Findings]]:
        deadline = time.monotonic() + 30
        work = [harm("nothing"), TERRAFORM]
        return await asyncio.gather(
            *(asyncio.to_thread(lambda: list(workers.examine(EXCHANGE, work, deadline))) for _ in range(8))
        )

    results = asyncio.run(many())
    assert len({result[0][0].check for result in results}) <= 2
    assert {result[1][0].outcome for result in results} == {"violated"}


def test_half_a_surrogate_pair_reaches_the_process(workers: Workers) -> None:
    exchange = ask("\ud800").with_answer("\udfff " + EXCHANGE.answer)
    assert run(workers, TERRAFORM, exchange=exchange)[0].outcome == "violated"


def test_a_process_that_has_grown_is_replaced_however_big_its_parent_is(installed: Path) -> None:
    ballast = b"x" * (500 << 20)
    with contextlib.closing(Workers(1, megabytes=1000)) as own:
        grow = installed / "harm.py"
        grow.write_text(
            HARM.replace('"print":\n            print("noise")', '"grow":\n            bytes(b"x" * (400 << 20))')
        )
        first, second, third = run(own, harm("nothing"), harm("grow"), harm("nothing"))
        assert first.check == second.check != third.check
    assert len(ballast) == 500 << 20


def test_no_process_means_inconclusive(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(installed / "nowhere"))
    found = run(Workers(1), TERRAFORM, harm("nothing"))
    assert [(finding.outcome, finding.reason) for finding in found] == [
        ("inconclusive", "No process for the check could be started.")
    ] * 2


def test_which_kinds_another_process_can_make(installed: Path) -> None:
    assert is_installed("harm", tuple(sys.path))
    assert not is_installed("nowhere", tuple(sys.path))
    assert all(is_installed(kind, tuple(sys.path)) for kind in KINDS)


PROGRAM = """
import asyncio, os, threading, time
from lawspeaker.checks.assess import assess
from lawspeaker.checks.registry import extended
from lawspeaker.constitution.load import load_text
from lawspeaker.exchange import ask

LAW = '''
name: law
version: 1.0.0
summary: A law.
principles:
  - {id: good, text: Never do this., because: It hurts., severity: minor, checks: [terraform: public-storage]}
  - {id: bad, text: Never do that., because: It hurts., severity: minor, checks: [harm: WHAT]}
'''
CODE = 'resource "aws_s3_bucket_acl" "b" {\\n  acl = "public-read"\\n}\\n'

def found(what, answer=CODE, budget=20.0):
    law = load_text(LAW.replace("WHAT", what), kinds=extended(["harm"]))
    return asyncio.run(assess(ask("x").with_answer(answer), law, budget=budget))

found("nothing", CODE + "##")  # starts the process
began = time.monotonic()
for finding in found("loop", CODE + "\\n" * 20_000, 4.0):
    print(finding.check, finding.outcome)
print(time.monotonic() - began < 9, threading.active_count() < 4)
# The same content is not asked about again, other content is; what was not finished is.
print([found("count", text)[1].check for text in (CODE, CODE + "#", CODE, CODE + "#")])
print(found("leave")[1].reason == found("leave")[1].reason, found("nothing")[1].outcome)
first = found("nothing")[1].check
child = os.fork()
second = found("nothing", CODE + "#")[1].check
print(first != second if not child else first == second, flush=True)
os.waitpid(child, 0) if child else os._exit(0)
print(second)
"""


def test_an_assessment_as_a_program_makes_it(installed: Path) -> None:
    paths = os.pathsep.join([str(installed), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert not done.stderr
    *lines, process = done.stdout.splitlines()
    assert lines == [
        "terraform/public-storage violated",
        "harm/unfinished inconclusive",
        "True True",
        "['harm/1', 'harm/2', 'harm/1', 'harm/2']",
        "True upheld",
        "True",
        "True",
    ]
    assert _is_gone(int(process.removeprefix("harm/")))


def _is_gone(process: int) -> bool:
    """Whether a process that nobody here waits for ends soon."""
    for _ in range(200):
        if not Path(f"/proc/{process}").exists() and Path("/proc").exists():
            return True
        time.sleep(0.05)
    return False


def test_results_are_bounded_and_hold_no_text() -> None:
    spec = CheckSpec("terraform", ["public-storage"], KINDS["terraform"].prepare(["public-storage"], "p"), "1")
    task = Task(TERRAFORM, spec.check, spec.digest, UNSTATED, False)
    results = Results(most=3)
    digests = [content(ask(str(number))) for number in range(4)]
    fine = (Finding("p", "terraform/x", "upheld", "Fine."),)
    keys = [key(digest, task) for digest in digests]
    for each in keys:
        results.keep([each], [fine])
    assert results.known(keys) == [None, fine, fine, fine]
    results.known(keys[1:2])
    results.keep(keys[:1], [fine * 2])
    assert results.known(keys) == [fine * 2, fine, None, None]
    results.keep(keys[2:3], [(unfinished(TERRAFORM, "Late."),)])
    assert results.known(keys[2:3]) == [None]
    other = CheckSpec("terraform", ["public-database"], spec.check, "1")
    assert results.known([key(digests[1], Task(TERRAFORM, spec.check, other.digest, UNSTATED, False))]) == [None]
    assert content(ask("\ud800")) is None
    assert results.known([key(None, task)]) == [None]
