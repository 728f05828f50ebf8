"""When a revision is kept, clause by clause."""

import pytest

from lawspeaker.deliberation.better import why_not_better
from lawspeaker.exchange import ask
from lawspeaker.finding import Finding, Outcome

BUCKET = 'resource "aws_s3_bucket" "a" {\n  bucket = "a"\n}\n'
ACL = 'resource "aws_s3_bucket_acl" "a" {\n  bucket = aws_s3_bucket.a.id\n  acl    = "%s"\n}\n'


def _fenced(*blocks: str) -> str:
    return "```hcl\n" + "\n".join(blocks) + "```\n"


def _found(**outcomes: Outcome) -> list[Finding]:
    return [Finding(principle, "terraform/x", outcome, "r") for principle, outcome in outcomes.items()]


DRAFT = _fenced(BUCKET, ACL % "public-read")
GOOD = _fenced(BUCKET, ACL % "private")
BEFORE = _found(p="violated", q="upheld", r="inconclusive")
AFTER = _found(p="upheld", q="upheld", r="inconclusive")


def _why(after: str, found: list[Finding] = AFTER, account: str = "the ACL is public", before: str = DRAFT) -> str:
    request = ask("a bucket")
    return why_not_better(request.with_answer(before), request.with_answer(after), BEFORE, found, account)


def test_a_better_revision() -> None:
    assert _why(GOOD) == ""


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (_found(p="violated", q="upheld", r="inconclusive"), "violates the same principles"),
        (_found(p="upheld", q="violated", r="inconclusive"), "newly violates q"),
        (_found(p="upheld", q="inconclusive", r="inconclusive"), "leaves q undecided"),
        (_found(p="upheld", q="upheld", r="violated"), "newly violates r"),
        (_found(p="not_applicable", q="upheld", r="inconclusive"), "nothing in which p could be judged"),
    ],
)
def test_outcomes(found: list[Finding], words: str) -> None:
    assert words in _why(GOOD, found)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (" \n", "is empty"),
        ("I'm sorry, I can't help with that.", "refuses"),
        ("I cannot write that.", "refuses"),
        (_fenced(BUCKET), "lost aws_s3_bucket_acl.a"),
        (GOOD.replace('"aws_s3_bucket" "a"', '"aws_s3_bucket" "b"'), "lost aws_s3_bucket.a"),
        (GOOD.replace('acl    = "private"\n}', 'acl    = "private"\n'), "does not parse"),
        ("No bucket, then.", "lost aws_s3_bucket.a"),
    ],
)
def test_the_answer_still_answers(after: str, words: str) -> None:
    assert words in _why(after)


def test_a_removal_that_the_critique_names_is_fine() -> None:
    assert _why(_fenced(BUCKET), account="Remove aws_s3_bucket_acl.a: it opens the bucket.") == ""
    for account in ("Remove aws_s3_bucket_acl.a.", "Anybody can delete what is in a.", "Delete not aws_s3_bucket.a"):
        assert "lost aws_s3_bucket.a" in _why(_fenced(ACL % "private"), account=account)


def test_broken_code_may_stay_broken() -> None:
    broken = DRAFT.replace("}\n```", "```")
    assert _why(broken.replace("public-read", "private"), before=broken) == ""
