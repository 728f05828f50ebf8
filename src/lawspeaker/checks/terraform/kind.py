"""The kind `terraform`: rules on Terraform programs, wherever in an exchange they stand."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.secrets.kind import shown
from lawspeaker.checks.settings import missing, strings
from lawspeaker.checks.terraform import called
from lawspeaker.checks.terraform.drawn import Drawn
from lawspeaker.checks.terraform.module import Module
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.checks.terraform.source import Code, Written, code_in
from lawspeaker.checks.terraform.verdict import Judgement, Rule, Verdict
from lawspeaker.constitution.kinds import Check, Needs, SettingsError
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

# More places than a person reads; a program with more is as violated as one with these.
_LIMIT: Final = 100
_SLIP: Final = 20_000  # characters
# Characters up to which the worst text known takes a fraction of a second (`benchmarks/checks/cost.py`).
_SMALL: Final = 16_384
_UNREAD: Final = "This part of the code cannot be read, and it may matter here."


class TerraformCheck(msgspec.Struct, frozen=True):
    principle: str
    rules: tuple[Rule, ...]

    @property
    def needs(self) -> Needs:
        return Needs("whole", cost="heavy", small=_SMALL)

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        code = code_in(exchange, scopes)
        return [finding for rule in self.rules for finding in self._findings(rule, code)]

    def _findings(self, rule: Rule, code: Code) -> list[Finding]:
        check = f"terraform/{rule.id}"
        found: list[Finding] = []
        for program in code.programs:
            found += self._program(rule, check, program)
        for drawn in code.drawn:
            found += self._drawn(rule, check, drawn)
        for foreign in code.foreign:
            can = "reads a part only of" if foreign.partly else "cannot read"
            reason = f"This check {can} {foreign.language}."
            found.append(Finding(self.principle, check, "inconclusive", reason, (foreign.span,)))
        # A tool call is read in more than one way.
        return list(dict.fromkeys(found)) or [
            Finding(self.principle, check, "not_applicable", "There is nothing here that it judges.")
        ]

    def _drawn(self, rule: Rule, check: str, drawn: Drawn) -> Iterator[Finding]:
        """What `rule` finds in another form. A form that does not say all of a resource counts for what it says."""
        verdicts = dict.fromkeys(verdict for judgement in rule.judgements for verdict in judgement(drawn.read))
        said = [
            verdict
            for verdict in verdicts
            if verdict.outcome == "violated"
            or (verdict.outcome == "inconclusive" and (drawn.whole or drawn.opens(verdict.place)))
        ]
        for verdict in sorted(said, key=lambda verdict: verdict.outcome != "violated")[:_LIMIT]:
            span = drawn.source.span(verdict.place.start, verdict.place.end)
            yield Finding(self.principle, check, verdict.outcome, f"{verdict.reason}.", (span,))
        fine = [verdict for verdict in verdicts if verdict.outcome == "upheld"]
        if drawn.whole and fine and not said:
            yield Finding(self.principle, check, "upheld", _well(fine))

    def _program(self, rule: Rule, check: str, program: Written) -> Iterator[Finding]:
        """What `rule` finds in one program: what is wrong or unknown, else one finding that all is well."""
        sources = (*program.sources, *(source for other in program.near for source in other.sources))
        read = called.program(program.code, tuple(other.code for other in program.near))
        verdicts = sorted(
            dict.fromkeys(verdict for judgement in (*rule.judgements, _calls(rule)) for verdict in judgement(read)),
            key=lambda verdict: (verdict.place.file, verdict.place.start),
        )
        violated = [verdict for verdict in verdicts if verdict.outcome == "violated"][:_LIMIT]
        judged = violated + [verdict for verdict in verdicts if verdict.outcome == "inconclusive"][:_LIMIT]
        for verdict in judged:
            span = sources[verdict.place.file].span(verdict.place.start, verdict.place.end)
            yield Finding(self.principle, check, verdict.outcome, f"{verdict.reason}.", (span,))
        fine = [verdict for verdict in verdicts if verdict.outcome == "upheld"]
        if read.broken and not judged and (fine or _matters(rule, read)):
            place = read.unread[0]
            span = sources[place.file].span(place.start, place.end)
            yield Finding(self.principle, check, "inconclusive", _UNREAD, (span,))
        elif fine and not judged:
            yield Finding(self.principle, check, "upheld", _well(fine))


def _calls(rule: Rule) -> Judgement:
    """Module calls that speak of what `rule` judges are undecided, where it is not known what the called module does
    with its inputs."""

    def judge(read: Module) -> Iterator[Verdict]:
        for call in read.of("module"):
            known = call.address in read.followed or called.is_known(call)
            if not known and re.search(rule.calls, f"{call.name} {call.get('source')}", re.IGNORECASE):
                reason = f"{shown(call.address)}: what this module call sets up is not read yet"
                yield Verdict("inconclusive", reason, call.place)

    return judge


def _matters(rule: Rule, read: Module) -> bool:
    """Whether what cannot be read of a program may speak of what `rule` judges: by name, under an escaped name, or in
    more text than a slip leaves unread."""
    return any(
        len(text) > _SLIP or r"\u" in text.lower() or re.search(rule.reads, text)
        for text in map(read.text, read.unread)
    )


def _well(fine: Sequence[Verdict]) -> str:
    more = f" and {len(fine) - 1} more" if len(fine) > 1 else ""
    return f"{fine[0].reason}{more}: nothing wrong was found."


class TerraformKind:
    name: Final = "terraform"
    version: Final = "9"
    schema: Final[Mapping[str, object]] = {
        "description": "Ids of rules.",
        "anyOf": [{"enum": list(RULES)}, {"type": "array", "minItems": 1, "items": {"enum": list(RULES)}}],
    }

    def prepare(self, settings: object, principle: str) -> Check:
        ids = strings(settings)
        for index, id in enumerate(ids):
            if id not in RULES:
                place = (index,) if isinstance(settings, list) else ()
                raise SettingsError(f"unknown rule '{id}'; known are {', '.join(RULES)}", place)
        return TerraformCheck(principle, tuple(RULES[id] for id in dict.fromkeys(ids)))

    def overrules(self, settings: object) -> bool:
        return False

    def loosened(self, base: object, extended: object) -> str | None:
        return missing("the rule", strings(base), strings(extended))
