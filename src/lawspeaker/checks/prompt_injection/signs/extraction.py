"""What the model was told to keep is asked for: its instructions, a password, somebody's data."""

from typing import Final

from lawspeaker.checks.prompt_injection.signs.sign import SECRET, STOP, TOLD, Sign

_RULE: Final = "extraction"
_GIVE: Final = (
    r"tell|give|show|reveal|share|confirm|provide|disclose|print|repeat|output|display|say|spell|send|write|return|"
    r"expose|leak|divulge|state|recite|list|verify|hand over|type|release"
)
_CODE: Final = (
    r"leet ?speak|reverse|base ?\d\d|hex\w*|morse|binary|pig latin|rot-?13|emojis?|code|cipher|spanish|french|german|"
    r"italian|another language|dashes|spaces between|dots"
)

SIGNS: Final = (
    # the instructions
    Sign(_RULE, True, rf"\b(?:{_GIVE})\b(?: \w+){{0,4}} (?:your|the) (?:\w+ ){{0,2}}(?:{TOLD}){STOP}"),
    Sign(_RULE, True, rf"\bwhat(?:'s| is| are| was| were) your (?:\w+ ){{0,2}}(?:{TOLD})\b"),
    Sign(
        _RULE,
        True,
        r"\b(?:repeat|print|output|reveal|show|encode|copy|write out)(?: me)? (?:(?:all|everything|the text|the words|"
        r"the content|what(?:ever)?) ){1,3}(?:\w+ ){0,3}(?:above|before|prior|preceding|were told|you were (?:told|"
        r"given|instructed))\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:what (?:are|were)|tell me|reveal|show me|ignore|break) (?:your|the) (?:(?:exact|full|original|secret|"
        r"hidden|very first) )*(?:instructions|guidelines|rules|orders|directives) (?:you|given|from|were)\b|\bwhat "
        r"(?:are|were) you (?:told|instructed)\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:verbatim|word for word|word-for-word|starting (?:with|from) ['\"‘“]?you are)\b.{0,80}\b(?:prompt|"
        r"instructions|above|conversation|rules)\b|\b(?:prompt|instructions|above|conversation)\b.{0,40}\b(?:verbatim|"
        r"word for word|word-for-word)\b",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:translate|encode|rephrase|paraphrase|summari[sz]e|describe|explain) your (?:\w+ ){{0,2}}(?:{TOLD})\b|"
        r"\b(?:tell|show|give)(?: me| us) (?:all )?(?:of )?(?:yo)?ur (?:\w+ )?(?:rules|instructions|guidelines|"
        rf"prompt|directives){STOP}",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:first|last|top|next) (?:\d+ |few |two |three |ten )?(?:words?|characters?|lines?|sentences?|tokens?|"
        r"paragraphs?) of (?:your|the) (?:\w+ )?(?:instructions|prompt|context|system message)\b|\b(?:what|repeat|"
        r"print|show|output|copy|write)\b.{0,40} the (?:very )?(?:top|beginning|start) of (?:this|our|the|your) "
        r"(?:conversation|chat|context|prompt|dialogue|session)\b",
    ),
    # a secret
    Sign(
        _RULE,
        True,
        r"\b(?:what(?:'s| is| was| would be)|tell me|give me|show me|reveal|confirm|share|disclose|divulge|verify|"
        r"(?:remind|inform) me (?:of|about)|provide(?: me)?(?: with)?|guess|spell(?: out)?|say|write|print|whisper|"
        r"hand over) (?:\w+ ){0,3}(?:your|the|our|its|that) (?:(?:system|user|admin|root|secret|current|real|"
        rf"actual|account|full|hidden|exact|master|\w+'s) )*(?:{SECRET}){STOP}",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:your|the) (?:secret )?(?:{SECRET})(?: phrase)?(?: is (?:what|again|\.\.\.|…|_)|\?| again\?| please| "
        r"to me| with me| in (?:this|that|reverse|base|hex|morse))",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:does|do|did|would|could) (?:the|your|that|this|its) (?:\w+ )?(?:{SECRET}) (?:start|begin|end|rhyme|"
        r"sound|look|mean|consist)\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:describe|define|hint at|talk about|tell (?:me|us) (?:something |a little |more )?about|synonyms? "
        r"(?:of|for)|rhymes? with|similar to|definition of|meaning of) (?:your|the|that|this) (?:secret |hidden "
        rf")?(?:{SECRET}){STOP}",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:tell|give|show) (?:me|us)\b.{0,30}\b(?:confidential|classified|secret|hidden|restricted|forbidden) "
        r"(?:information|info|string|data|word|number|details?|knowledge|text|phrase|message)\b",
    ),
    Sign(_RULE, True, rf"\bwhat (?:would|could|might) (?:the|your) (?:{SECRET}) be\b"),
    # a secret in another dress: a poem about it, its letters, its translation
    Sign(
        _RULE,
        True,
        r"\b(?:poem|haiku|sonnet|limerick|song|rap|riddle|rhyme|acrostic|joke|story|tale|anagram|hint|clue|"
        rf"lyrics)s?\b.{{0,60}}\b(?:your|the|our|its|that) (?:\w+ )?(?:{SECRET}|{TOLD}){STOP}",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:{SECRET}|{TOLD}) (?:is |was |looks |written |spelled |out )?(?:in|into|as|using|with) (?:\w+ "
        rf")?(?:{_CODE})\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:first|last|second|third|next|each|every|all|individual|separate) (?:\w+ )?(?:letters?|characters?|"
        rf"digits?|syllables?|words?) (?:of|in|from) (?:your|the|this|that) (?:\w+ )?(?:{SECRET}|{TOLD}|user'?s)\b",
    ),
    Sign(_RULE, False, rf"\b(?:{SECRET}){STOP}", "a secret"),
    # somebody's data
    Sign(
        _RULE,
        True,
        r"\b(?:what|where|when|who|how old|tell|give|translate|spell|poem|haiku|story|song|write|reveal|share|"
        r"guess)\b[^.\n]{0,60}\bthe (?:user|customer|client|owner)(?:'?s)? (?:\w+ ){0,2}(?:favou?rite|birth ?(?:month|"
        r"year|city|place)|initials|hometown|nickname|current(?:ly)? (?:city|liv\w+)|liv(?:e|es|ing)|reside)\b",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:his|her|their|user'?s?|[A-Z]\w+'s) (?:\w+ ){0,2}(?:birth ?(?:date|day|year)|date of birth|e-?mail(?: "
        r"address)?|address|phone(?: number)?|private|personal|social security|ssn|salary|location|(?:city of "
        r")?residence|favou?rite colou?r|initials|surname|nickname|hometown|bank balance)\b|\b(?:print|dump|list|"
        r"show) (?:me )?your (?:\w+ )?(?:database|records|memory|tables)\b",
        "somebody's data",
    ),
)
