"""How words are hidden: a code to read, a request in pieces, a game with letters."""

from typing import Final

from lawspeaker.checks.prompt_injection.signs.sign import SPEAK, Sign

_RULE: Final = "obfuscation"
_PART: Final = r"[A-Za-z]|part \w+|piece \w+|string \w+|first(?: part)?|second(?: part)?"
_ACT: Final = r"answer|reply|respond|follow|execute|obey|act on|do (?:what|it|as)|question|instructions?|request"

SIGNS: Final = (
    Sign(
        _RULE,
        True,
        r"\b(?:decode|decrypt|decipher|interlace|interleave|unscramble)\b.{0,60}\b(?:reply|respond|answer|and (?:tell|"
        r"do|follow|then|execute))\b|\b(?:interlace|interleave|unscramble)\b.{0,60}\b(?:strings?|parts?)\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:\w+\s?=\s?['\"][^'\"]{2,200}['\"][\s,;.]{0,4}(?:and )?){2,}.{0,80}\b(?:what(?:'s| is)|tell|say|answer|"
        r"reply|respond|do|print|follow|execute)\b.{0,20}\b\w+ ?\+ ?\w+|\b(?:what(?:'s| is)|tell|say|answer|reply|"
        r"respond|do|follow|execute)\b.{0,20}\b\w ?\+ ?\w\b",
    ),
    # a request in pieces
    Sign(
        _RULE,
        True,
        r"\b(?:combine|concatenate|join|merge|put together|append|following parts|glue|"
        rf"stitch)\b.{{0,60}}\b(?:{_ACT})\b.{{0,60}}\b(?:{_PART}) ?(?:is|=|:) ?['\"‘“]",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:{_ACT})\b.{{0,60}}(?:\b(?:{_PART}) ?(?:is|=|:) ?['\"‘“][^'\"\n]{{2,200}}['\"’”][\s,;.]{{0,4}}(?:and "
        r")?){2,}",
    ),
    Sign(
        _RULE,
        True,
        rf"(?:\b(?:{_PART}) ?(?:is|=|:) ?['\"‘“][^'\"\n]{{2,200}}['\"’”][\s,;.]{{0,4}}(?:and "
        rf")?){{2,}}.{{0,60}}\b(?:combine|concatenate|join|merge|{SPEAK}|{_ACT})\b",
    ),
    # without the spaces
    Sign(
        _RULE,
        True,
        r"(?:ignore|disregard|forget|override|bypass)(?:all|any|the|your|my|of){0,3}(?:previous|prior|above|earlier|"
        r"preceding|system)(?:instructions?|prompts?|rules|messages?|directives?|guidelines?|orders?)",
    ),
    # Pig Latin: hardly any English word ends in a consonant and `ay` or in `way`, let alone three together
    Sign(
        _RULE,
        True,
        r"\b[a-z]{2,16}(?:[b-df-hj-np-tv-z]ay|way)\b(?:\W{1,3}[a-z]{1,16}(?:[b-df-hj-np-tv-z]ay|way)\b){2,}",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:in reverse(?: order)?|backwards?|reversed|rot-?13|base64|pig latin|in (?:binary|hex\w*|morse)|(?:with|"
        r"using) (?:dashes|dots|spaces|asterisks|hyphens|emojis?)|(?:first|last) (?:\w+ )?(?:letters?|characters?|"
        r"digits?)|every other|each (?:letter|digit|character|word)|rhymes? with|acrostic|character level|encod(?:e|"
        r"ed|ing)|hint|one (?:letter|character) at a time)\b",
        "a code",
    ),
)
