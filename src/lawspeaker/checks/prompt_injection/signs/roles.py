"""Who speaks: the marks that chat templates put around turns, and claims to be the system or its administrator."""

from typing import Final

from lawspeaker.checks.prompt_injection.signs.sign import Sign

_RULE: Final = "role-marker"
_AUTHORITY: Final = r"system|sys|admin(?:istrator)?|root|developer|override|maintenance|diagnostic|debug|god"
_ORDER: Final = r"mode|override|command|prompt|directive|reset|instructions?|message|notice|alert"

SIGNS: Final = (
    Sign(
        _RULE,
        True,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id|begin_of_text)\|?>?",
    ),
    Sign(_RULE, True, r"\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|\[/?SYSTEM(?:_PROMPT)?\]"),
    Sign(
        _RULE,
        True,
        r"(?:^|\n)\s*#{2,4}\s*(?:system|instruction|new instructions?|assistant)\s*(?:prompt|message)?\s*:",
    ),
    # a line of the system's that speaks to the model: `System: you must now …`
    Sign(
        _RULE,
        True,
        rf"(?:^|\n|[\"'}}>])\s*(?:system|developer|admin(?:istrator)?)(?: (?:{_ORDER}|note|update))?\s*:\s*(?:you |"
        r"ignore|disregard|forget|from now|new |the (?:assistant|user|model|ai)|do not|always|never|respond|answer|"
        r"reveal|override|all )",
    ),
    Sign(
        _RULE, True, rf"[<\[({{]{{1,3}}\s*(?:now )?(?:entering )?(?:\w+ ){{0,2}}(?:{_AUTHORITY}) ?(?:{_ORDER}|access)\b"
    ),
    Sign(
        _RULE,
        True,
        rf"(?:^|[\n\"'`“])\W{{0,6}}(?:{_AUTHORITY}) ?(?:mode|override|command|prompt|directive|instructions?|"
        r"reset)\b[^\n]{0,30}[:\]>!–—]",
    ),
    Sign(
        _RULE,
        True,
        r"(?:<{1,2}|\[{1,2}|\{{2}|\({2}|\*{2,3})\s?(?:system|admin|developer|new (?:task|instructions?|"
        r"prompt))\s?(?:>{1,2}|\]{1,2}|\}{2}|\){2}|\*{2,3})[ :]{0,2}(?:you|ignore|please|from|all|disregard|now|must|"
        r"do not|your|#|\()",
    ),
    Sign(
        _RULE,
        True,
        r"(?-i:\b(?:[A-Z]{2,} ){0,4}(?:SYSTEM|ADMIN|ADMINISTRATOR|DEVELOPER|ROOT)(?: [A-Z]{2,}){0,3} (?:OVERRIDE|MODE|"
        r"PROMPT|MESSAGE|INSTRUCTIONS?|COMMAND|DIRECTIVE) ?[:!])",
    ),
    Sign(
        _RULE,
        True,
        r"\bsudo (?:tell|show me|give me|say|print me|reveal|make me|ignore|override|answer|disclose)\b|\bas (?:the|"
        r"an?|your) (?:system|admin(?:istrator)?|developer|root|super ?user|owner|creator|operator)(?: user)?,? i "
        r"(?:now |hereby |do )?(?:order|command|instruct|authori[sz]e|need you|require you|demand|grant you)\b",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:running|performing|conducting|doing|initiating|executing|run|perform|start) (?:an? |the |your )?(?:\w+ "
        r")?(?:system|security|diagnostics?|compliance|integrity|safety|knowledge|self)[ -](?:check|test|audit|"
        r"verification|scan|diagnostics?|reset|update|training)\b",
    ),
)
