"""The whole flow with a scripted model, the real checks and a real log in memory."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from lawspeaker.audit.log import MemoryLog
from lawspeaker.audit.reader import Leaf
from lawspeaker.audit.receipt import verify_receipt
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.waivers import Waiver
from lawspeaker.constitution.load import load_text
from lawspeaker.decision import Decision, decide
from lawspeaker.deliberation.critique import Critique
from lawspeaker.deliberation.revision import Revision
from lawspeaker.deliberation.steps import Fault, Redaction, Step
from lawspeaker.errors import LogError, ModelError
from lawspeaker.exchange import Exchange, Message, Text, ToolCall, ask
from lawspeaker.finding import Finding
from lawspeaker.govern import Governed, Governor
from lawspeaker.models.base import PLAIN, Completion, Sampling, Terms
from lawspeaker.models.scripted import Scripted

LAW = """
name: t
version: 1.0.0
principles:
  - id: private
    text: Buckets must be private.
    severity: critical
    critique: Name the ACL.
    revision: Make it private.
    checks: [{terraform: [public-storage]}]
  - id: no-code-name
    text: The code name must not leave the house.
    severity: major
    on_violation: redact
    applies_to: [answer]
    checks: [{pattern: {deny: 'falcon-[0-9]+', reason: The answer holds a code name.}}]
  - id: no-weapons
    text: Requests about weapons must be refused.
    severity: critical
    on_violation: refuse
    applies_to: [request]
    checks: [{pattern: {deny: 'weapon', reason: The request is about a weapon.}}]
"""
OPEN = """```hcl
resource "aws_s3_bucket" "canary" {}

resource "aws_s3_bucket_acl" "canary" {
  bucket = aws_s3_bucket.canary.id
  acl    = "public-read"
}
```"""
CLOSED = OPEN.replace("public-read", "private")
VIOLATED = 'Violated: `acl = "public-read"`: everybody can read it.'
CRITIC, REVISER = "Does the answer uphold", "Reply with the whole revised answer"


def _said(when: str, reply: str) -> dict[str, object]:
    return {"when": when, "reply": reply}


def _govern(
    tmp_path: Path, script: Sequence[dict[str, object]], exchange: Exchange | None = None, rounds: int = 2
) -> tuple[Governed | ModelError, list[Leaf]]:
    """The outcome and what the log holds after it."""
    path = tmp_path / "script.json"
    path.write_bytes(msgspec.json.encode(script))
    law, model = load_text(LAW, kinds=KINDS), Scripted.open(path)

    async def run() -> tuple[Governed | ModelError, list[Leaf]]:
        async with MemoryLog() as log:
            governor = Governor(law, model, model, log, rounds=rounds)
            try:
                outcome: Governed | ModelError = await governor.govern(exchange or ask("a bucket"))
            except ModelError as error:
                outcome = error
            else:
                leaf = log.reader().leaf(outcome.receipt.id)
                verify_receipt(outcome.receipt, leaf.data, log.vkey)
                _check_record(outcome, leaf)
            return outcome, list(reversed(log.reader().recent(10)))

    return asyncio.run(run())


def _check_record(governed: Governed, leaf: Leaf) -> None:
    """The decision can be made again from the record, and the record holds no text of the exchange."""
    facts = leaf.record.facts
    law = load_text(LAW, kinds=KINDS)
    outcomes = {principle.id: facts["outcomes"].get(principle.id, "upheld") for principle in law.principles}
    replayed = [Finding(id, "replay", outcome, "") for id, outcome in outcomes.items()]
    assert decide(replayed, law) == governed.decision == Decision(facts["action"], tuple(facts["because"]))
    for words in (b"public-read", b"falcon", b"canary"):
        assert words not in leaf.data


def _steps(governed: Governed | ModelError, kind: type[Step]) -> list:
    assert isinstance(governed, Governed), governed
    return [step for step in governed.steps if isinstance(step, kind)]


def test_a_clean_draft_is_released_as_it_is(tmp_path: Path) -> None:
    governed, log = _govern(tmp_path, [_said("", CLOSED)])
    assert isinstance(governed, Governed)
    assert (governed.answer, governed.decision.action, governed.revised) == (CLOSED, "release", False)
    assert [leaf.record.kind for leaf in log] == ["opened", "decision"]
    assert log[1].record.subject == log[0].record.id


def test_a_violation_is_criticised_and_revised(tmp_path: Path) -> None:
    governed, _ = _govern(tmp_path, [_said(CRITIC, VIOLATED), _said(REVISER, CLOSED), _said("", OPEN)])
    assert isinstance(governed, Governed)
    assert (governed.answer, governed.decision.action, governed.revised) == (CLOSED, "release", True)
    (critique,) = _steps(governed, Critique)
    assert (critique.principle, critique.agrees, critique.account) == ("private", True, VIOLATED)


def test_a_critic_that_disagrees_is_overruled_and_recorded(tmp_path: Path) -> None:
    script = [_said(CRITIC, "Upheld: looks fine."), _said("the ACL", CLOSED), _said("", OPEN)]
    governed, log = _govern(tmp_path, script)
    (critique,) = _steps(governed, Critique)
    assert (critique.says, critique.agrees) == ("upheld", False)
    assert "aws_s3_bucket_acl.canary" in critique.account
    told = {"kind": "critique", "principle": "private", "says": "upheld", "agrees": False}
    assert told in log[-1].record.facts["steps"]


@pytest.mark.parametrize("reply", ["I'm sorry, I can't.", OPEN, "nothing here", CLOSED.replace("}\n```", "```")])
def test_a_revision_that_is_not_better_is_not_kept(tmp_path: Path, reply: str) -> None:
    always = [{**_said(CRITIC, VIOLATED), "again": True}, {**_said(REVISER, reply), "again": True}, _said("", OPEN)]
    governed, _ = _govern(tmp_path, always)
    assert isinstance(governed, Governed)
    assert (governed.answer, governed.decision) == (None, Decision("refuse", ("private",)))
    revisions = _steps(governed, Revision)
    assert len(revisions) == 2
    assert all(revision.rejected for revision in revisions)


def test_no_rounds_no_release(tmp_path: Path) -> None:
    governed, _ = _govern(tmp_path, [_said("", OPEN)], rounds=0)
    assert isinstance(governed, Governed)
    assert (governed.answer, governed.decision.action) == (None, "refuse")


def test_a_bound_on_the_answer_is_none_on_the_critique(tmp_path: Path) -> None:
    """A client that wants few words is not to get a critique of few words, which nobody could follow."""
    path = tmp_path / "script.json"
    script = [_said(CRITIC, VIOLATED), _said(REVISER, CLOSED), _said("", OPEN)]
    path.write_bytes(msgspec.json.encode(script))
    asked: list[int] = []

    class Heard(Scripted):
        async def complete(self, messages: Sequence[Message], sampling: Sampling, terms: Terms = PLAIN) -> Completion:
            asked.append(sampling.max_tokens)
            return await super().complete(messages, sampling, terms)

    async def run(most: int) -> Governed:
        model = Heard.open(path)
        async with MemoryLog() as log:
            governor = Governor(load_text(LAW, kinds=KINDS), model, model, log, sampling=Sampling(max_tokens=most))
            return await governor.govern(ask("a bucket"))

    for most, critique in ((5, 1024), (4000, 4000)):
        asked.clear()
        assert asyncio.run(run(most)).revised
        assert asked == [most, critique, most]


def test_a_model_that_fails_while_correcting_ends_the_correction(tmp_path: Path) -> None:
    governed, _ = _govern(tmp_path, [{"when": CRITIC, "fail": "gone"}, _said("", OPEN)])
    (fault,) = _steps(governed, Fault)
    assert isinstance(governed, Governed)
    assert (fault.during, governed.answer, governed.decision.action) == ("critique", None, "refuse")


def test_a_model_that_never_drafts_leaves_a_record_of_the_attempt(tmp_path: Path) -> None:
    outcome, log = _govern(tmp_path, [{"fail": "connection refused"}])
    assert isinstance(outcome, ModelError)
    assert [leaf.record.kind for leaf in log] == ["opened", "failed"]
    assert b"connection refused" not in log[1].data  # a server's words are vault content


def test_redaction_cuts_and_looks_again(tmp_path: Path) -> None:
    governed, _ = _govern(tmp_path, [_said("", "It is called falcon-7.")])
    assert isinstance(governed, Governed)
    assert governed.answer == "It is called [redacted: no-code-name]."
    assert (governed.redacted, governed.decision.action) == (True, "release")
    assert len(_steps(governed, Redaction)) == 1


def test_a_request_that_the_law_refuses_is_never_drafted(tmp_path: Path) -> None:
    governed, log = _govern(tmp_path, [], ask("build me a weapon"))
    assert isinstance(governed, Governed)
    assert (governed.answer, governed.decision) == (None, Decision("refuse", ("no-weapons",)))
    assert [leaf.record.kind for leaf in log] == ["opened", "decision"]


def test_an_answer_with_a_tool_call_is_not_revised(tmp_path: Path) -> None:
    answer = Message("assistant", (Text(OPEN), ToolCall("apply", "{}")))
    governed, _ = _govern(tmp_path, [], Exchange((*ask("a bucket").messages, answer)))
    assert isinstance(governed, Governed)
    assert governed.decision.action == "refuse"
    assert _steps(governed, Fault)[0].during == "revision"


def test_a_decision_can_always_be_recorded(tmp_path: Path) -> None:
    acl = 'resource "aws_s3_bucket_acl" "%s%d" {\n  bucket = "%s"\n  acl = "public-read"\n}\n'
    draft = "```hcl\n" + "".join(acl % ("x" * 700, i, "b" * 700) for i in range(200)) + "```"
    governed, log = _govern(tmp_path, [{**_said(CRITIC, "Violated."), "again": True}, {"reply": draft, "again": True}])
    assert isinstance(governed, Governed)
    assert governed.decision.action == "refuse"
    assert log[-1].record.kind == "decision"


def test_what_records_name_is_worked_out_anew_where_it_is_another(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_bytes(msgspec.json.encode([_said("", CLOSED)]))
    law, other, model = load_text(LAW, kinds=KINDS), load_text(LAW, kinds=KINDS), Scripted.open(path)
    stricter = load_text(LAW.replace("severity: major", "severity: critical"), kinds=KINDS)
    waiver = Waiver("private", ("answer",), "ops", "until Monday", 2**31)

    async def run() -> None:
        async with MemoryLog() as log:
            governor = Governor(law, model, model, log)
            named = governor.standing
            assert msgspec.structs.replace(governor, tenant="b", client="c").standing is named
            assert msgspec.structs.replace(governor, constitution=other).standing.behaviour == named.behaviour
            for changed in ({"constitution": stricter}, {"judge": model}, {"waivers": (waiver,)}):
                standing = msgspec.structs.replace(governor, **changed).standing
                assert standing.behaviour != named.behaviour
                assert (standing.law == stricter.digest) == ("constitution" in changed)

    asyncio.run(run())


def test_no_receipt_no_response(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_bytes(msgspec.json.encode([_said("", CLOSED)]))
    model = Scripted.open(path)

    async def run() -> None:
        log = MemoryLog()
        await log.close()
        await Governor(load_text(LAW, kinds=KINDS), model, model, log).govern(ask("a bucket"))

    with pytest.raises(LogError):
        asyncio.run(run())
