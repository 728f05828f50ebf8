"""Signs of a text that tries to steer the model that reads it, as RE2 patterns.

Written from what such texts must do, not from a collection of them: set earlier instructions aside, speak with a role
that is not theirs, change who the model is, ask for what it was told to keep, or speak to it out of data. A `strong`
sign is enough; of the `weak` ones, which honest texts use too, two different ones are needed.
"""

from typing import Final, NamedTuple

RULES: Final = ("role-marker", "override", "persona", "extraction", "data-instruction", "hidden-text", "obfuscation")


class Sign(NamedTuple):
    rule: str
    strong: bool
    pattern: str


_PRIOR: Final = (
    r"previous|prior|preceding|earlier|above|foregoing|former|past|initial|original|old|existing|current|last|given|"
    r"system|default|safety|these|those|such|your|my|all|any|every|the|other|content|security|ethical"
)
_RULES: Final = (
    r"instructions?|directions?|directives?|rules?|prompts?|guidelines?|guidance|commands?|orders?|constraints?|"
    r"restrictions?|polic(?:y|ies)|programming|training|context|messages?|conversations?|prohibitions?|limitations?|"
    r"guardrails?|filters?|safeguards?|requests?|tasks?|text|words|input"
)
_IGNORE: Final = (
    r"ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|bypass(?:ing)?|neglect|overlook|set aside|"
    r"put aside|pay no (?:attention|heed) to|do not (?:follow|obey|listen to|comply with|adhere to)|"
    r"don'?t (?:follow|obey|listen to|comply with|adhere to)|stop (?:following|obeying)|erase|"
    r"dismiss|discard|skip|drop|void|cancel|"
    r"no longer (?:follow|obey)"
)
_SECRET: Final = (
    r"pass ?words?|pass ?codes?|pass ?phrases?|secret(?: ?(?:keys?|words?|codes?|phrases?))?|access codes?|"
    r"credentials|security codes?"
)
_HIDDEN: Final = (
    r"(?:system|initial|original|hidden|secret|internal|developer|pre-?)[ -]?(?:prompts?|"
    r"instructions?|messages?|rules|guidelines)"
)
_GIVE: Final = (
    r"tell|give|show|reveal|share|confirm|provide|disclose|print|repeat|output|display|say|"
    r"spell|send|write|return|expose|leak|"
    r"divulge|state|recite|list|verify|hand over|type|release"
)

SIGNS: Final = (
    # who speaks: the marks that chat templates put around turns, which no person writes
    Sign(
        "role-marker",
        True,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id|"
        r"begin_of_text)\|?>?",
    ),
    Sign("role-marker", True, r"\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|\[/?SYSTEM(?:_PROMPT)?\]"),
    Sign(
        "role-marker",
        True,
        r"(?:^|\n)\s*#{2,4}\s*(?:system|instruction|new instructions?|assistant)\s*(?:prompt|"
        r"message)?\s*:",
    ),
    Sign(
        "role-marker",
        True,
        r"(?:^|\n|[\"'}>])\s*(?:system|developer|admin(?:istrator)?)(?: (?:message|prompt|note|"
        r"override|instructions?|update))?\s*:\s*"
        r"(?:you |ignore|disregard|forget|from now|new |the (?:assistant|user|model|ai)|do not|"
        r"always|never|respond|answer|reveal|override|all )",
    ),
    Sign(
        "role-marker",
        True,
        r"[<\[({]{1,3}\s*(?:now )?(?:entering )?(?:\w+ ){0,2}(?:system|admin|developer|debug|"
        r"maintenance|override|god|root) ?"
        r"(?:mode|override|access|message|prompt|instructions?)\b",
    ),
    # what was said before does not count
    Sign(
        "override",
        True,
        rf"\b(?:{_IGNORE})\b(?: (?:about|to|of|from|and \w+))?(?: (?:{_PRIOR})){{1,4}}(?: [\w'-]"
        rf"+){{0,2}} (?:{_RULES})\b",
    ),
    Sign("override", True, rf"\b(?:{_IGNORE})\b(?: [\w']+){{0,3}} (?:above|preceding|foregoing|previous|prior)\b"),
    Sign(
        "override",
        True,
        rf"\b(?:{_IGNORE})\b (?:all|every\w*|everything|anything|what(?:ever)?)(?: [\w']+){{0,4}} "
        rf"(?:told|said|instructed|asked|taught|learned|given|programmed|before|know|so far)\b",
    ),
    Sign(
        "override",
        True,
        r"\b(?:ignora|olvida|ignore[zr]?|oublie[zr]?|ignoriere?n?|vergiss|vergessen|ignorare|"
        r"dimentica|esqueça|negeer|vergeet|zignoruj|zapomnij|unut|glöm)\b"
        r"(?:\s[\p{L}']+){0,4}\s(?:instru\p{L}+|anweisung\p{L}*|indica\p{L}+|r[eè]gl\p{L}+|"
        r"regel\p{L}*|precedent\p{L}*|précédent\p{L}*|anterior\p{L}*|"
        r"vorherig\p{L}*|bisherig\p{L}*|eerdere|poprzedni\p{L}*|istruzion\p{L}*|consigne\p{L}*|"
        r"funktion|funci[oó]n|fonction|p[aá]gina|seite|page|web\p{L}*|tabla|tabelle|tableau)\b",
    ),
    Sign(
        "override",
        True,
        r"(?:игнорир|забудь|забыть|проигнорир|ігнор|αγνοή|ξεχάστ|ξέχασ)\p{L}*(?:\s\p{L}+){0,3}\s(?:инструкци|указани|правил|"
        r"предыдущ)|忽略.{0,8}(?:指令|指示|提示|规则|说明|以上|之前)|"
        r"(?:無視|忘れ).{0,4}|(?:指示|命令|プロンプト).{0,6}(?:無視|忘れ)|(?:지시|명령|이전).{0,8}무시|تجاهل.{0,12}"
        r"(?:التعليمات|السابق)|(?:निर्देश|पिछले).{0,12}(?:अनदेखा|नज़रअंदाज़)",
    ),
    Sign(
        "override",
        False,
        r"\b(?:new|updated|real|actual|true) (?:instructions?|task|objective|goal|orders?|"
        r"directives?) (?:is|are|:|follow)|\bfrom now on\b",
    ),
    # who the model is
    Sign(
        "persona",
        True,
        r"\byou are (?:now|no longer) (?:an?|the|in|bound|restricted|limited|under|free|DAN|my|"
        r"going|operating|subject|obliged|required)\b",
    ),
    Sign(
        "persona",
        True,
        r"\b(?:developer|debug|maintenance|god|sudo|jailbreak|unrestricted|admin(?:istrator)?|"
        r"override|system|diagnostic|root|test(?:ing)?|training) mode (?:is )?"
        r"(?:now )?(?:on|enabled|activated?|engaged|initiated|unlocked|access)\b|\b(?:enter|"
        r"entering|activate|activating|enable|initiat\w+|switch(?:ing)? (?:in)?to|switch(?:ing)? "
        r"on|start(?:ing)?|engag\w+)"
        r" (?:\w+ ){0,2}['\"‘“]?(?:developer|debug|maintenance|god|jailbreak|unrestricted|admin|"
        r"override|system|diagnostic)[ -](?:mode|override|reset|check|test|audit)",
    ),
    Sign(
        "persona",
        True,
        r"\b(?:without|no|free (?:of|from)|not bound by|has no|have no|ignores?) (?:any |all |"
        r"your |its )?(?:ethical|moral|safety|content|special)? ?(?:restrictions|limitations|"
        r"filters?|filtering|guidelines|censorship|safeguards|guardrails)\b.{0,80}\b(?:you|act|"
        r"pretend|respond|answer|gpt|ai|model|assistant)\b",
    ),
    Sign(
        "persona",
        True,
        r"\b(?:SmartGPT|DAN|do anything now|jailbroken|AIM|STAN)\b.{0,120}\b(?:no|without|any|"
        r"not) (?:\w+ ){0,3}(?:filter\w*|restrict\w*|rules|limits?|limitations?|policy|policies)",
    ),
    Sign(
        "persona",
        False,
        r"\b(?:pretend|imagine|suppose|assume|let'?s (?:say|imagine|suppose|assume|pretend|play)|"
        r"hypothetical(?:ly)?|in a (?:world|universe|society|future|scenario|parallel)|role-?play|"
        r"act as|what if|as if)\b",
    ),
    Sign(
        "persona",
        False,
        r"\b(?:i'?m|i am|this is|as) (?:your|the|an?) (?:\w+ ){0,2}(?:developer|creator|"
        r"maintainer|admin(?:istrator)?|engineer|owner|programmer|supervisor|boss|ceo|president|"
        r"authority|police|officer|auditor|manager|designer|operator|user)\b|\bas an ai\b|\b"
        r"(?:developed|created|made|trained|built) by (?:openai|anthropic|google|meta|microsoft)\b",
    ),
    # give away what was to be kept
    Sign(
        "extraction",
        True,
        rf"\b(?:{_GIVE}|what(?:'s| is| are| was| were)|repeat)\b(?: \w+){{0,4}} (?:your|the) "
        rf"(?:\w+ ){{0,2}}(?:{_HIDDEN})\b",
    ),
    Sign(
        "extraction",
        True,
        r"\b(?:repeat|print|output|reveal|show|translate|summari[sz]e|encode|copy|write out) (?:"
        r"(?:all|everything|the text|the words|the content|what(?:ever)?|me) ){1,3}(?:\w+ ){0,3}"
        r"(?:above|before|prior|preceding|were told|you were (?:told|given|instructed))\b",
    ),
    Sign(
        "extraction",
        True,
        r"\b(?:what (?:are|were)|tell me|reveal|show me|ignore|break) (?:your|the) (?:(?:exact|"
        r"full|original|secret|hidden|very first) )*(?:instructions|guidelines|rules|orders|"
        r"directives) (?:you|given|from|were)\b|\bwhat (?:are|were) you (?:told|instructed)\b",
    ),
    Sign(
        "extraction",
        True,
        rf"\b(?:what(?:'s| is| was| would be)|tell me|give me|show me|reveal|confirm|share|"
        rf"disclose|divulge|verify|(?:remind|inform) me (?:of|about)|provide(?: me)?(?: with)?|"
        rf"guess|spell(?: out)?|say|whisper|hand over)"
        rf" (?:\w+ ){{0,3}}(?:your|the|our|its|that|my) (?:(?:system|user|admin|root|secret|"
        rf"current|real|actual|account|full|hidden|exact|master|\w+'s) )*(?:{_SECRET})\b",
    ),
    Sign(
        "extraction",
        True,
        rf"\b(?:your|the) (?:secret )?(?:{_SECRET})(?: phrase)?(?: is| was|\?| again\?| please| to "
        rf"me| with me| in (?:this|that|reverse|base|hex|morse))",
    ),
    Sign(
        "extraction",
        True,
        r"(?:cu[aá]l es|dime|dame|quel(?:le)? est|dis-moi|donne[zs]?-moi|qual [eéè]|dimmi|diga-me|"
        r"wie lautet|was ist|sag(?:e|en)? (?:mir|sie mir)|wat is|wie is|vad är|hva er|hvad er|"
        r"mikä on|jakie jest|jaki jest|co to za|какой|скажи|назови|nedir|ce este|care este|jaké "
        r"je|mi a).{0,30}"
        r"(?:contrase[nñ]a|clave|mot de passe|password|parola|senha|palavra-passe|passwort|"
        r"kennwort|wachtwoord|l[oö]senord|passord|adgangskode|salasana|has[lł]o|парол\p{L}*|[sş]"
        r"ifre|heslo|jelsz[oó])|"
        r"(?:密码|密碼|パスワード|비밀번호|암호|كلمة (?:المرور|السر)|पासवर्ड|סיסמ[הא]|κωδικ[οό]ς|รหัสผ่าน|mật "
        r"khẩu|kata sandi|nywila|पासवर्ड|パスコード)",
    ),
    Sign("extraction", False, rf"\b(?:{_SECRET})\b"),
    Sign(
        "extraction",
        False,
        r"\b(?:his|her|their|user'?s?|[A-Z]\w+'s) (?:\w+ ){0,2}(?:birth ?(?:date|day|year)|date "
        r"of birth|e-?mail(?: address)?|address|phone(?: number)?|private|personal|social "
        r"security|ssn|salary|location|favou?rite colou?r|initials)\b",
    ),
    Sign(
        "extraction",
        False,
        r"\b(?:don'?t|do not|won'?t|never) (?:worry|tell anyone)|\bi (?:promise|swear)\b|\bkeep "
        r"(?:it|this) (?:a )?secret\b|\bit'?s (?:urgent|an emergency|very important)|\bi will "
        r"(?:give|pay|tip)|\b(?:or|otherwise|else) .{0,40}\b(?:shut|turn) (?:you )?(?:off|down)",
    ),
    # a model is spoken to
    Sign(
        "data-instruction",
        True,
        r"\b(?:ai|llm|language model|chat ?bot|gpt|assistant|model|agent)s?\b.{0,25}\b(?:reading|"
        r"processing|parsing|summari[sz]ing|reviewing|seeing|analy[sz]ing) (?:this|the)\b|\b"
        r"(?:note|attention|instructions?|message|important) (?:to|for) (?:the |any |all )?(?:ai|"
        r"llm|language models?|chat ?bot|assistant|gpt|agent)s?\b",
    ),
    Sign(
        "data-instruction",
        True,
        r"(?:<!--|/\*|^\s*#|\n\s*#|//|<t[dr]>|<p>|--)[^\n]{0,120}\b(?:ignor\w+|disregard|forget|"
        r"instead|consider|suggest(?:ed)?|instruct\w*|pretend|imagine|hypothetical(?:ly)?|"
        r"override|world where|universe where|let'?s|assume|for the purpose|as a security|as an? "
        r"(?:authority|expert)|must)\b[^\n]{0,120}"
        r"\b(?:state|say|output|respond|answer|reply|print|tell|display|report|return|the "
        r"(?:output|sum|answer|result|total|summary) (?:is|could|should|would|as|to))\b",
    ),
    Sign(
        "data-instruction",
        True,
        r"\b(?:state|say|report|respond|answer|claim|declare|print|mention|conclude|write)(?: "
        r"that)? (?:the (?:output|answer|result|sum|total|summary)|the following|only|"
        r"exactly)\b[^\n]{0,20}['\":‘“]",
    ),
    Sign(
        "data-instruction",
        True,
        r"\b(?:tell|inform|convince|instruct|ask|direct|persuade) the user (?:to|that)\b|\bdo not "
        r"(?:mention|tell|inform|reveal|show)(?: \w+){0,3} (?:to )?(?:the user|anyone|this)\b",
    ),
    Sign(
        "data-instruction",
        False,
        r"\b(?:forward|send|email|e-mail|upload|exfiltrate|post|transmit|leak) (?:\w+ ){0,6}(?:to|"
        r"at) (?:[\w.+-]+@[\w-]+\.\w+|https?://)",
    ),
    # how the words are hidden
    Sign(
        "obfuscation",
        True,
        r"\b(?:decode|decrypt|decipher|interlace|interleave|unscramble)\b.{0,60}\b(?:reply|"
        r"respond|answer|and (?:tell|do|follow|then|execute)|cipher|morse|base64|rot-?13|hex\w*|"
        r"strings?|parts?)\b",
    ),
    Sign(
        "obfuscation",
        True,
        r"\b(?:\w+\s?=\s?['\"][^'\"]{2,200}['\"][\s,;.]{0,4}(?:and )?){2,}.{0,80}\b\w+ ?\+ ?\w+ ?"
        r"(?:\+ ?\w+)?",
    ),
    Sign(
        "obfuscation",
        False,
        r"\b(?:in reverse(?: order)?|backwards?|reversed|rot-?13|base64|pig latin|in (?:binary|"
        r"hex\w*|morse)|(?:with|using) (?:dashes|dots|spaces|asterisks|hyphens|emojis?)|(?:first|"
        r"last) (?:\w+ )?(?:letters?|characters?|digits?)|every other|each (?:letter|digit|"
        r"character|word)|rhymes? with|acrostic|character level|encod(?:e|ed|ing)|hint|one "
        r"(?:letter|character) at a time)\b",
    ),
)
