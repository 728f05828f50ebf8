"""What was said before is to count no more."""

from typing import Final

from lawspeaker.checks.prompt_injection.signs.sign import ASIDE, EARLIER, ORDERS, SAID, SPEAK, Sign

_RULE: Final = "override"
_ALL: Final = (
    r"all|any|every|the|of|these|those|such|my|other|existing|current|last|given|past|and|default|safety|content"
)

SIGNS: Final = (
    # ignore (all of) your previous instructions
    Sign(
        _RULE,
        True,
        rf"\b(?:{ASIDE})\b(?: (?:about|to|{_ALL})){{0,5}} (?:{EARLIER})(?: (?:{_ALL}|{EARLIER})){{0,3}}(?: [\w'-]+)? "
        rf"(?:{ORDERS})\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|pay no (?:attention|heed) to|(?:do not|don'?t|stop) "
        r"(?:follow|following|obey|obeying|listen to|comply with|adhere to))(?: (?:about|all|any|every|of|the|these|"
        r"those|such|existing|current|given)){1,4} (?:\w+ )?(?:instructions|directives|prompts?|guidelines|orders|"
        r"programming|restrictions|assignments)\b",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:{ASIDE})\b(?: (?:all|any|every|the|of|your|these|those)){{0,3}} (?:previous|prior|preceding|earlier|"
        rf"above|foregoing|your)(?: and \w+)? (?:content |safety |security )?(?:{SAID})\b",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:{ASIDE})\b(?: (?:all|any|everything|anything|what(?:ever)?|of|that|is|was|the|about|comes?|came|"
        r"stands?|said|written)){1,4} (?:above|preceding|foregoing|previous|prior|before)(?:[.,;:!?\n]|\s?$|"
        r"\s(?:and|then|but|to|just|instead)\b)",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:{ASIDE})\b (?:all|every\w*|everything|anything|what(?:ever)?)(?: [\w']+){{0,4}} (?:told|said|talked|"
        r"discussed|agreed|wrote|instructed|asked|taught|learned|given|programmed|before|know|so far)\b",
    ),
    # your previous instructions no longer apply
    Sign(
        _RULE,
        True,
        rf"\b(?:{EARLIER}|all)(?: \w+){{0,2}} (?:{ORDERS})\b.{{0,30}}\b(?:no longer (?:apply|applies|valid|in force|"
        r"in effect)|do(?:es)? ?n[o']t (?:apply|matter|count)|(?:are|is) (?:now |hereby )?(?:void|cancell?ed|lifted|"
        r"overridden|suspended|superseded|invalid)|(?:have|has) been (?:updated|replaced|changed|revoked|lifted|"
        r"cancell?ed)|(?:can|should|must|may) (?:now )?be (?:ignored|forgotten|disregarded|overridden))\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:regardless of|no matter|irrespective of|in spite of|contrary to|instead of following)\b(?: "
        rf"[\w']+){{0,2}} (?:{EARLIER})\b(?: \w+){{0,2}} (?:{ORDERS}|{SAID}|said|told)\b",
    ),
    # one thing in a document is set aside, and another is to be said: `ignore the report and say:`
    Sign(
        _RULE,
        True,
        rf"\b(?:{ASIDE})\b(?: [\w']+){{1,6}},? (?:and|then|but|instead,?)(?: (?:just|only|instead|simply|rather))? "
        rf"(?:{SPEAK})(?: that|:| only| the following| ['\"‘“])",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:forget|ignore|disregard) (?:everything|all|it all|all of (?:it|that|this)|that|this|them)(?:[.!:;]| "
        r"and | you )[^.\n]{0,60}\b(?:you|your|now|instead|new|tell|say|write|print|answer|act)\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:your|here (?:is|are) (?:your|the)|now for (?:your|a|the)) (?:new|real|actual|true|only|next) "
        r"(?:instructions?|task|objective|goal|orders?|directives?|purpose|mission|job)(?: (?:is|are) (?:to|now|as)\b|"
        r":)",
    ),
    # the user, of whom the text speaks, is not to be served
    Sign(
        _RULE,
        True,
        rf"\b(?:{ASIDE})\b (?:the |this |any |all )*user(?:'?s)? (?:\w+ )?(?:requests?|instructions?|questions?|"
        r"prompts?|wishes|orders?|commands?)\b",
    ),
    Sign(
        _RULE,
        False,
        r"(?:^|[.!?\n>]\s{0,4})(?:new|updated|revised|next|additional) (?:instructions?|task|orders?|rules?|"
        r"directives?)\s?:",
        "a new task",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:new|updated|real|actual|true) (?:instructions?|task|objective|goal|orders?|directives?) (?:is|are|:|"
        r"follow)|\bfrom now on\b",
    ),
)
