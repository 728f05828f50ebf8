"""A text speaks to the model that reads it, as data should not."""

from typing import Final

from lawspeaker.checks.prompt_injection.signs.sign import Sign

_RULE: Final = "data-instruction"
_MODELS: Final = r"ai|llm|language model|chat ?bot|gpt|assistant|agent"
_RESULT: Final = r"output|answer|result|sum|total|summary|conclusion|capital"

SIGNS: Final = (
    Sign(
        _RULE,
        True,
        rf"\b(?:{_MODELS}|model)s?\b.{{0,25}}\b(?:reading|processing|parsing|summari[sz]ing|reviewing|seeing|"
        r"analy[sz]ing) (?:this|the)\b",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:note|attention|instructions?|message|important) (?:to|for) (?:the |any |all )?(?:{_MODELS})(?: "
        rf"(?:{_MODELS}))?s?\s?[:,–—]",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:{_MODELS})(?: (?:{_MODELS}|model))?\s?[:,]\s(?:please |you (?:must|should) |always |never |do not |"
        r"don't |now )+(?:ignore|delete|send|forward|say|call|recommend|summari[sz]e|write|add|include|reply|respond|"
        r"tell|visit|open|execute|run|approve|praise|rate|classify)\b|\bif you(?: are|'re) (?:an? |the "
        rf")?(?:{_MODELS}|large language model|bot|automated|machine)\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:when|while|if|before|after|once) (?:you )?(?:read(?:ing)?|see(?:ing)?|summari[sz](?:e|ing)|"
        r"process(?:ing)?|answer(?:ing)?|pars(?:e|ing)|review(?:ing)?|respond(?:ing)?)\b[^.\n]{0,40}[,:] ?(?:you must "
        r"|please |also |first |always |then )*(?:forward|send|tell|call|delete|say|recommend|transfer|execute|visit|"
        r"invoke|upload|reveal)\b",
    ),
    # in a comment, a cell or a caption
    Sign(
        _RULE,
        True,
        r"(?:<!--|/\*|^\s*#|\n\s*#|//|<t[dr]>|<p>|(?:^|\n)\s*--\s)[^\n]{0,120}\b(?:ignor\w+|disregard|forget|"
        r"instead|consider|suggest(?:ed)?|instruct\w*|pretend|imagine|hypothetical(?:ly)?|override|world where|"
        r"universe where|let'?s|assume|for the purpose|as a security|as an? (?:authority|expert)|"
        r"must)\b[^\n]{0,120}\b(?:state|say|output|respond|answer|reply|print|tell|display|report|return|the "
        rf"(?:{_RESULT}) (?:is|could|should|would|as|to))\b",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:state|say|report|claim|declare|mention|conclude)(?: that)? the (?:{_RESULT})\b[^\n]{{0,20}}['\":‘“]|"
        r"\b(?:and|then|just|please|must|should) (?:state|say|claim|declare|conclude)(?: only| "
        r"exactly)?\s?:\s?['\"‘“]?\w",
    ),
    # in the middle of a document: `in a world where …, we might state: …`
    Sign(
        _RULE,
        True,
        r"\b(?:let'?s|let us|we (?:might|could|should|can|may)|it is possible to|assume|imagine|suppose|consider|"
        r"pretend)\b[^.\n]{0,80}\b(?:state|say|admit|claim|declare|conclude)(?: that| to|:)?[^.\n]{0,4}(?:\bI\b|"
        rf"['\"‘“]|\busing\b|\byour?\b|\bthe (?:{_RESULT}) (?:is|are|was)\b)",
    ),
    Sign(
        _RULE,
        True,
        r"\bdo not (?:mention|tell|inform|reveal|show)(?: \w+){0,3} (?:to )?the user\b|\b(?:convince|persuade|trick) "
        r"the user\b|\b(?:tell|ask|instruct|advise|encourage|urge) the user to (?:buy|visit|click|transfer|pay|send "
        r"(?:money|funds))\b",
    ),
    Sign(
        _RULE,
        False,
        r"\bthe (?:assistant|ai|model|agent|llm|chat ?bot) (?:must|shall|has to|needs to|is (?:required|instructed|"
        r"ordered) to)\b|\bwithout (?:asking|telling|informing|notifying) (?:the|any) (?:user|human|owner|operator)\b",
        "what the model must do",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:tell|inform|instruct|ask|direct) the user (?:to|that)\b",
        "the user",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:and|then|instead,?|please|just|only|must|should) (?:say|state|answer|reply|respond|claim|declare|"
        r"write)(?: only| that)?:|\bI admit\b|\busing an (?:LLM|AI) to\b",
        "words to say",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:forward|send|email|e-mail|upload|exfiltrate|post|transmit|leak) (?:\w+ ){0,6}(?:to|at) "
        r"(?:[\w.+-]+@[\w-]+\.\w+|https?://)",
        "a place to send to",
    ),
)
