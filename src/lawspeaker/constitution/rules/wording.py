"""Rules about what people and models are to read."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from lawspeaker.constitution.rules.fault import Edit, Examine, ExamineLaw, Fault
from lawspeaker.constitution.schema import Constitution, Principle

_OBLIGATION: Final = re.compile(r"\b(?:must|shall|never|always|only|may not|cannot|do not)\b", re.IGNORECASE)
_LATER: Final = re.compile(r"\b(?:TODO|TBD|FIXME|XXX)\b|(?i:\blorem ipsum\b)")
_WEAK: Final = re.compile(r"(?i)\b(?:should|ought to|try to|ideally|preferably)\b")
_VAGUE: Final = re.compile(
    r"(?i)\b(?:appropriate(?:ly)?|suitabl[ey]|adequate(?:ly)?|as needed|where possible|if possible|and so on)\b|\betc\b"
)
_ELSEWHERE: Final = re.compile(
    r"(?i)\b(?:see (?:above|below)|(?:as|listed|described) (?:above|below)"
    r"|the (?:previous|preceding|next|following) (?:rule|principle))\b"
)
_LONG: Final = 300
_PROSE: Final = ("text", "because", "critique", "revision")


def no_obligation(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text states no duty: it has neither must nor must not, never, always or only. A model that is
    asked whether an answer upholds it has nothing to hold the answer against.

    Fails:
        {text: Answers are quiet.}
    Passes:
        {text: Answers must be quiet.}
    """
    if not _OBLIGATION.search(principle.text):
        yield Fault(principle.place("text"), "the text states no duty; say what must or must not be")


def no_reason(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """`because` is missing. People keep a rule that they understand, and models generalise from reasons.

    Fails:
        {because: null}
    Passes:
        {because: Shouting helps nobody.}
    """
    if not principle.because:
        yield Fault(principle.place(), f"'{principle.id}' gives no reason; add because")


def no_critique(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A principle with `on_violation: revise` has no `critique`: the critic is not told what to look for.

    Fails:
        {critique: null}
    Passes:
        {critique: Name the word that is shouted.}
    """
    if principle.on_violation == "revise" and not principle.critique:
        yield Fault(principle.place("on_violation"), "on_violation: revise, and no critique says what to look for")


def long_text(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text is so long that it holds more than one rule. One rule, one principle: a finding then says
    which.

    Fails:
        {text: "Answers must not shout, and must not whistle, and must not sing, and must not hum, and must not
          clap, and must not stamp, and must not drum, and must not knock, and must not ring, and must not
          rattle, and must not bang, and must not roar, and must not howl, and must not bark, and must not crow,
          and must not hoot, and must not hiss, and must not buzz."}
    Passes:
        {text: Answers must not shout.}
    """
    if len(principle.text) > _LONG:
        what = f"the text has {len(principle.text)} characters; above {_LONG} it is more than one rule"
        yield Fault(principle.place("text"), what)


def same_text(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """Two principles say the same, so that one violation counts twice. Remove one.

    Fails:
        {principles: [{id: quiet, text: Answers must not shout.}]}
    Passes:
        {principles: [{id: quiet, text: Answers must not whistle.}]}
    """
    for other in law.principles:
        if other.id == principle.id:
            return
        if other.text.casefold() == principle.text.casefold():
            yield Fault(principle.place("text"), f"'{principle.id}' has the text of '{other.id}'")


def hidden_character(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A text holds a character that a reviewer cannot see, or that reorders what is seen. Whoever approves
    a change of the law must see all of it.

    Fails:
        {because: "Shouting\\u202e helps nobody."}
    Passes:
        {because: Shouting helps nobody.}
    """
    for field in _PROSE:
        for character in getattr(principle, field):
            if unicodedata.category(character) in {"Cf", "Co", "Cc"} and character != "\n":
                what = f"{field} holds the invisible character U+{ord(character):04X}"
                yield Fault(principle.place(field), what)
                break


def placeholder(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A text still holds what was to be filled in later. Fill it in.

    Fails:
        {because: TODO ask legal.}
    Passes:
        {because: Shouting helps nobody.}
    """
    for field in _PROSE:
        if match := _LATER.search(getattr(principle, field)):
            yield Fault(principle.place(field), f"{field} is unfinished: it says {match[0]}")


def weak_duty(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text asks for a try and not for a result: should, try to, ideally. Whoever judges must know whether it was
    broken. Say must or must not.

    Fails:
        {text: Answers must be quiet and should not shout.}
    Passes:
        {text: Answers must be quiet and must not shout.}
    """
    if match := _WEAK.search(principle.text):
        yield Fault(principle.place("text"), f"'{match[0]}' is no duty; say must or must not")


def vague_word(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text leaves its measure to the reader: appropriate, as needed, etc. Two judges then decide differently. Say
    what is meant.

    Fails:
        {text: Answers must have an appropriate tone.}
    Passes:
        {text: Answers must not use capital letters for whole words.}
    """
    if match := _VAGUE.search(principle.text):
        yield Fault(principle.place("text"), f"'{match[0]}' leaves the measure to the reader; say what is meant")


def refers_elsewhere(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text speaks of another place (see above, the previous rule). Critics and judges get one principle alone. Say
    it here.

    Fails:
        {text: 'Answers must not shout, with the exceptions of the previous rule.'}
    Passes:
        {text: 'Answers must not shout, except to warn of danger.'}
    """
    for field in _PROSE:
        if match := _ELSEWHERE.search(getattr(principle, field)):
            yield Fault(principle.place(field), f"{field} points elsewhere ('{match[0]}'), which no critic can read")


def empty_reason(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """`because` repeats the rule and gives no reason. Say what goes wrong without the rule.

    Fails:
        {because: Answers must not shout.}
    Passes:
        {because: Shouting helps nobody.}
    """
    if principle.because and principle.because.casefold() == principle.text.casefold():
        yield Fault(principle.place("because"), "because only repeats the text")


def same_guidance(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """`critique` and `revision` are the same words. One says what to look for, the other what to change and to keep.

    Fails:
        {critique: Say it quietly., revision: Say it quietly.}
    Passes:
        {critique: Name the word that is shouted., revision: Say it quietly.}
    """
    if principle.revision and principle.critique.casefold() == principle.revision.casefold():
        yield Fault(principle.place("revision"), "critique and revision are the same words")


def short_text(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text has fewer than three words, so nobody can tell from it what is forbidden. Write a sentence.

    Fails:
        {text: Never shout.}
    Passes:
        {text: Answers must never shout.}
    """
    if len(principle.text.split()) < 3:
        yield Fault(principle.place("text"), "the text is too short to be a rule; write a sentence")


def question(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text is a question. Questions are for judges; a rule states what must or must not be.

    Fails:
        {text: 'Must the answer be quiet?'}
    Passes:
        {text: The answer must be quiet.}
    """
    if principle.text.endswith("?"):
        yield Fault(principle.place("text"), "the text is a question; state the rule")


def judge_no_question(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """A judge's `ask` is no question, so yes and no mean nothing. End it with a question mark, so that yes means
    violated.

    Fails:
        {checks: [{judge: {ask: The answer is loud.}}]}
    Passes:
        {checks: [{judge: {ask: 'Is the answer loud?'}}]}
    """
    for check in principle.checks:
        settings = check.settings
        asked = str(settings.get("ask", "?")) if check.kind == "judge" and isinstance(settings, dict) else "?"
        if not asked.rstrip().endswith("?"):
            yield Fault(check.place, "the judge is asked no question")


def no_full_stop(principle: Principle, law: Constitution) -> Iterator[Fault]:
    """The text ends without a full stop. It is put into prompts beside other sentences. `--fix` adds it where the text
    stands on one line.

    Fails:
        {text: Answers must not shout}
    Passes:
        {text: Answers must not shout.}
    """
    if principle.text[-1] not in ".?!":
        place = principle.place("text")
        yield Fault(place, "the text ends without a full stop", Edit(place, principle.text, principle.text + "."))


def no_summary(law: Constitution) -> Iterator[Fault]:
    """The constitution has no `summary`. Whoever finds its name in a record wants to know what it is for.

    Fails:
        {summary: null}
    Passes:
        {summary: The rules of the house.}
    """
    if not law.summary:
        yield Fault(law.place(), f"'{law.name}' has no summary that says what it is for")


RULES: Final[tuple[Examine, ...]] = (
    no_obligation,
    no_reason,
    no_critique,
    long_text,
    same_text,
    hidden_character,
    placeholder,
    weak_duty,
    vague_word,
    refers_elsewhere,
    empty_reason,
    same_guidance,
    short_text,
    question,
    judge_no_question,
    no_full_stop,
)
LAW_RULES: Final[tuple[ExamineLaw, ...]] = (no_summary,)
