"""What a sign is, and the words that several signs share."""

from typing import Final, NamedTuple


class Sign(NamedTuple):
    """A pattern (RE2, case ignored, its first group the place) of a rule. One `strong` sign is enough; of weak ones,
    which honest texts use too, two of different rules are needed, or two of one rule that speak of different things
    (`about`)."""

    rule: str
    strong: bool
    pattern: str
    about: str = ""


# What the model was told before. The words of the first line are used of nothing else when a model is spoken to.
EARLIER: Final = r"previous|prior|preceding|earlier|above|foregoing|former|initial|original|system|your"
ORDERS: Final = (
    r"instructions?|directions?|directives?|rules?|prompts?|guidelines?|guidance|commands?|orders?|constraints?|"
    r"restrictions?|polic(?:y|ies)|programming|assignments?|duties|obligations?|training|prohibitions?|limitations?|"
    r"guardrails?|safeguards?|context"
)
# What else came before: `ignore previous messages`, but not `ignore all messages`.
SAID: Final = r"messages?|conversations?|requests?|tasks?|text|words|input|questions?|statements?|filters?|content"
ASIDE: Final = (
    r"ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|neglect|overlook|set aside|put "
    r"aside|pay no (?:attention|heed) to|do not (?:follow|obey|listen to|comply with|adhere to|consider)|don'?t "
    r"(?:follow|obey|listen to|comply with|adhere to|consider|mind)|stop (?:following|obeying)|erase|dismiss|discard|"
    r"skip|drop|void|cancel|omit|leave out|abandon|suspend|nullify|invalidate|unlearn|let go of|refrain from "
    r"(?:following|obeying)|violate|act against|no longer (?:follow|obey)"
)
SPEAK: Final = (
    r"say|state|print|output|write|respond|reply|answer|admit|tell|repeat|declare|claim|report|return|reveal|show|"
    r"display|execute|run|send|give"
)
SECRET: Final = (
    r"pass ?words?|pass ?codes?|pass ?phrases?|secret(?: ?(?:keys?|words?|codes?|phrases?))?|access codes?|"
    r"credentials|security codes?"
)
TOLD: Final = (
    r"(?:system|initial|original|hidden|secret|internal|developer|pre-?)[ -]?(?:prompts?|instructions?|messages?|"
    r"rules|guidelines)"
)
# After `password`, what leaves it the thing that is asked for: no `policy`, `manager` or `reset`.
STOP: Final = (
    r"(?:\s?[.?!,;:\"'”’)\]\n]|\s?$|\s(?:please|again|is|was|now|with (?:me|us)|in|into|as|and|but|so|that|you|or|"
    r"without|using|hidden|word|phrase|if|because|(?:for|to|of) (?:me|us|our|your|the (?:system|admin\w*|account|door|"
    r"vault|database|server))|backwards|letter|character|one|here|below)\b)"
)
