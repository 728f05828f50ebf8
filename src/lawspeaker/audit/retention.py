"""Retention: how long texts must be kept, and when they must go.

The rules are a record (`retention`), so that whoever reads the log knows by which rules it was kept, and since when.
Leaves are never removed: they hold no text, and every proof rests on them.
"""

import calendar
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from lawspeaker.audit.log import AsyncLog
from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.receipt import Receipt
from lawspeaker.audit.record import Record, new_id, now, opened
from lawspeaker.errors import LogError

NEVER_ERASED = frozenset({"erased", "hold", "retention", "rotated", "rewrapped"})
"""Kinds whose texts say why something was done to the log."""

MOST_MONTHS = 1200
_AT_ONCE = 1000  # ids in one `erased` record; a leaf holds some 1,800


class Rules(msgspec.Struct, frozen=True):
    """In months; 0 is no rule. Texts younger than `keep` are not erased, those older than `erase_after` are."""

    keep: int = 0
    erase_after: int = 0

    def check(self) -> None:
        """Refuse, with `LogError`, rules that nobody can follow."""
        if not all(0 <= months <= MOST_MONTHS for months in (self.keep, self.erase_after)):
            raise LogError(f"retention is 0 to {MOST_MONTHS} months, not {self.keep} and {self.erase_after}")
        if self.erase_after and self.erase_after < self.keep:
            raise LogError(f"texts cannot be kept for {self.keep} months and be erased after {self.erase_after}")


class Run(msgspec.Struct, frozen=True):
    """What one run did: exchanges whose texts it erased, records that had them, exchanges that a hold kept, and those
    that were kept because their times contradict the order of the log."""

    rules: Rules
    before: str
    exchanges: int
    records: int
    held: int
    doubtful: int = 0
    receipts: tuple[Receipt, ...] = ()


def rules_of(reader: LogReader) -> Rules:
    """The rules in force: those of the last `retention` record."""
    last = None
    for leaf in reader.of_kind("retention"):
        last = leaf.record.facts
    return Rules(int(last["keep"]), int(last["erase_after"])) if last else Rules()


async def set_rules(log: AsyncLog, rules: Rules, by: str) -> Receipt:
    """Put new rules on record."""
    rules.check()
    begun = opened(facts={"maintenance": "retention rules"})
    await log.append(begun, {})
    facts = {"keep": rules.keep, "erase_after": rules.erase_after, "by": by}
    return await log.append(Record(kind="retention", id=new_id(), subject=begun.id, facts=facts), {})


async def maintain(
    log: AsyncLog, by: str, *, rules: Rules | None = None, dry: bool = False, clock: str = "", sure: bool = False
) -> Run:
    """Erase the texts of every exchange whose last record is older than the rules say; a legal hold overrides them.

    `rules` are for a dry run, in place of those on record. `clock` is the time in place of now. A clock that jumped
    must not erase: raises `LogError` where it is before the last record, or more than a month after it unless `sure`,
    without which exchanges are kept too that have a record from long before the one before it in the log.
    """
    at = clock or now()
    with log.reader() as reader:
        rules = rules or rules_of(reader)
        rules.check()
        if not rules.erase_after:
            raise LogError("no retention rule says when texts are to be erased; give --erase-after MONTHS")
        last = next(iter(reader.recent(1))).record.time
        if at < last:
            raise LogError(f"the clock says {at}, but the last record is of {last}; set the clock")
        if last < months_before(at, 1) and not sure:
            raise LogError(f"the clock says {at}, the last record is of {last}; give --clock-is-right if it is")
        before = months_before(at, rules.erase_after)
        due, held, doubtful = _due(reader, before, sure)
    ids = [id_ for records in due.values() for id_ in records]
    if dry or not ids:
        return Run(rules, before, len(due), len(ids), held, doubtful)
    begun = opened(facts={"maintenance": "retention", "before": before, "by": by})
    receipts = [await log.append(begun, {})]
    for chunk in _chunks(ids):
        facts = {"erased": chunk, "by": by, "rule": {"keep": rules.keep, "erase_after": rules.erase_after}}
        receipts.append(await log.append(Record(kind="erased", id=new_id(), subject=begun.id, facts=facts), {}))
    return Run(rules, before, len(due), len(ids), held, doubtful, tuple(receipts))


def months_before(time: str, months: int) -> str:
    """The same day and time so many calendar months earlier (the month's last day where it has no such day)."""
    moment = datetime.fromisoformat(time)
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    if year < 1:
        return "0001-01-01T00:00:00.000000Z"
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _due(reader: LogReader, before: str, sure: bool) -> tuple[dict[str, list[str]], int, int]:
    """Exchange -> its records that still have texts, where the last of all its records is of before `before`; how many
    exchanges a hold keeps from it, and how many are kept because a clock jumped, unless it is `sure` that none did."""
    with_texts: dict[str, list[str]] = {}
    latest: dict[str, str] = {}
    on_hold: dict[str, bool] = {}
    displaced: set[str] = set()
    newest = ""
    for leaf in reader.leaves():
        record = leaf.record
        if record.time < newest and not sure and _apart(record.time, newest):
            displaced.add(record.subject)
        newest = max(newest, record.time)
        latest[record.subject] = max(record.time, latest.get(record.subject, ""))
        if record.kind == "hold":
            on_hold[record.subject] = record.facts.get("hold") is True
        elif record.texts and record.kind not in NEVER_ERASED and reader.has_texts(record.id):
            with_texts.setdefault(record.subject, []).append(record.id)
    old = {subject: ids for subject, ids in with_texts.items() if latest[subject] < before}
    held = {subject for subject in old if on_hold.get(subject)}
    doubtful = (old.keys() & displaced) - held
    return {subject: ids for subject, ids in old.items() if subject not in held | doubtful}, len(held), len(doubtful)


def _apart(earlier: str, later: str) -> bool:
    """Whether two times are more than a day apart: a record may wait for its turn, but not for so long."""
    try:
        return datetime.fromisoformat(later) - datetime.fromisoformat(earlier) > timedelta(days=1)
    except ValueError:
        return True  # there is no such day


def _chunks(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
