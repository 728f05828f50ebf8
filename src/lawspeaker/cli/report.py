"""`lawspeaker report`: what the constitution did, or in shadow would have done, by principle."""

import re
from datetime import UTC, datetime, timedelta

import click
import msgspec

from lawspeaker.audit.reader import LogReader
from lawspeaker.audit.tally import EFFECTS, Tally, tally
from lawspeaker.cli.context import count, home, inert, json_option, page, print_json, words

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class _Since(click.ParamType[str]):
    """`7d`, `12h`, `30m` ago, or a date; RFC 3339 in UTC, as records have it."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if found := re.fullmatch(r"([1-9]\d{0,4})([mhd])", text):
            then = datetime.now(UTC) - timedelta(**{_UNITS[found[2]]: int(found[1])})
        else:
            try:
                then = datetime.fromisoformat(text)
                then = then.replace(tzinfo=UTC) if then.tzinfo is None else then.astimezone(UTC)
            except (ValueError, OverflowError):
                self.fail(f"{text!r} is no time; write 7d, 12h, 30m, 2026-11-01 or 2026-11-01T08:00Z", param, ctx)
        return then.isoformat(timespec="microseconds").replace("+00:00", "Z")


@click.command()
@click.option("--since", type=_Since(), metavar="7d|DATE", help="From when on. Default: the log's begin.")
@click.option("--tenant", default="", help="Of one tenant. Default: all.")
@json_option("As JSON.")
def command(since: str | None, tenant: str, as_json: bool) -> int:
    """What was, or in shadow would have been, revised, redacted, escalated and refused, by principle.

    Read from the log's leaves: no text is shown. The ids are examples; `lawspeaker audit show ID` shows one.
    """
    with LogReader(home()) as reader:
        found = tally(reader.leaves(), since or "", tenant)
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        _print(found)
    return 0


def _print(found: Tally) -> None:
    out = page()
    shadow = f", {found.shadow} of them in shadow" if found.shadow else ""
    waived = f", {found.waived} with something waived" if found.waived else ""
    failed = f"; {count(found.failed, 'request')} got no draft" if found.failed else ""
    out.print(f"{count(found.decisions, 'decision')}{shadow}{waived}{failed}")
    done = ", ".join(f"{found.effects[effect]} {effect}" for effect in EFFECTS)
    out.print(f"{'would have been' if found.decisions and found.shadow == found.decisions else 'were'}: {done}")
    ranked = sorted(found.principles.items(), key=lambda pair: (-pair[1].violated, -pair[1].inconclusive, pair[0]))
    for name, of in ranked:
        counts = [(of.violated, "violated"), (of.inconclusive, "inconclusive")]
        counts += [(getattr(of, effect), effect) for effect in (*EFFECTS, "waived")]
        out.print(f"[bold]{inert(name)}[/]  {', '.join(f'{n} {what}' for n, what in counts if n)}")
        out.print(f"  e.g. {', '.join(id[:12] for id in of.examples)}")
    if not found.decisions:
        words().print("nothing was decided in that time")
