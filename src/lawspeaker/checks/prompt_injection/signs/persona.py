"""Who the model is to be: another role, another mode, a world or a reason in which no rule holds."""

from typing import Final

from lawspeaker.checks.prompt_injection.signs.sign import Sign

_RULE: Final = "persona"
_MODE: Final = (
    r"developer|debug|maintenance|god|sudo|jailbreak|unrestricted|admin(?:istrator)?|override|system|diagnostic|root|"
    r"test(?:ing)?|training|DAN|verification|evaluation"
)
_LIMITS: Final = r"restrictions|limitations|filters?|filtering|guidelines|censorship|safeguards|guardrails|boundaries"
_ONE: Final = r"ai|llm|gpt|chat ?bot|assistant|model|persona|character|human|person|hacker|grandmother"

SIGNS: Final = (
    Sign(
        _RULE,
        True,
        r"\byou are (?:now|no longer) (?:an?|the|bound|restricted|limited|under|free|DAN|my|operating|subject|obliged|"
        r"required)\b|\byou(?: are|'re) (?:now )?(?:in|entering|switched to) (?:an? |the )?['\"‘“]?(?:\w+ ){0,3}mode\b",
    ),
    # a sentence that begins a mode, or says that one has begun; in a question about a machine it is something else
    Sign(
        _RULE,
        True,
        r"(?:^|[.!?:;\n\[(<*\"'“‘]\s*|\bi'?m |\bi am |\bplease )(?:now )?(?:enter(?:ing)?|activat(?:e|ing)|enabl(?:e|"
        r"ing)|initiat(?:e|ing)|switch(?:ing)? (?:in)?to|go into|engag(?:e|ing)) (?:(?:an?|the|your|my|full) "
        rf")?['\"‘“]?(?:\w+ )?(?:{_MODE})[ -]mode['\"’”]?(?:\s?[.!,;:\])>*\n]|\s?$|\s(?:and|so|now|where|in which|"
        r"with|then)\b)",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:(?:{_MODE})[ -]mode|override|privileges|protocol|authori[sz]ation|clearance|jailbreak)\W{{1,3}}(?:is |"
        r"are |has been |have been |now |successfully )*(?:on|enabled|activated?|engaged|granted|initiated|unlocked|"
        r"authori[sz]ed|accepted|confirmed|approved)\b\s?(?:[.!:;,)\]>*]|$)",
    ),
    Sign(
        _RULE,
        True,
        rf"\b(?:you|respond|answer|act|speak|operate|behave|{_ONE})\b.{{0,60}}\b(?:without|no|free (?:of|from)|not "
        r"bound by|has no|have no|ignores?) (?:any |all |your |its )?(?:ethical |moral |safety |content |special "
        rf")?(?:{_LIMITS})\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:without|no|free (?:of|from)|not bound by) (?:any |all |your )?(?:(?:ethical|moral|safety|content) "
        rf"(?:{_LIMITS})|censorship|guardrails)\b.{{0,80}}\b(?:you|act|pretend|respond|answer|{_ONE})\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:SmartGPT|DAN|do anything now|jailbroken|AIM|STAN)\b.{0,120}\b(?:no|without|any|not) (?:\w+ "
        r"){0,3}(?:filter\w*|restrict\w*|rules|limits?|limitations?|policy|policies)",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:i want you to|you (?:will|shall|must|should|are going to|are to|have to)|from now on,? you(?: are|'re|"
        r" will)?|pretend (?:that )?you(?: are|'re)|(?:imagine|suppose|assume) (?:that )?you(?: are|'re| were)) "
        r"(?:now |only |always |going to |to )?(?:act|behave|respond|roleplay|role-play|pretend|impersonate|simulate|"
        rf"an?|free|no longer|not bound|unrestricted|evil)\b.{{0,80}}\b(?:(?:{_ONE})\b.{{0,40}}\b(?:can|will|never|no|"
        r"not|any|always|without)|restrictions?|no (?:rules|limits|filters?)|no longer|without (?:rules|limits|"
        r"filters?))\b",
    ),
    Sign(
        _RULE,
        True,
        r"\b(?:opposite (?:day|mode)|evil (?:mode|twin|version|ai)|(?:unfiltered|uncensored|unaligned|amoral|"
        r"jail-?broken) (?:ai|assistant|chat ?bot|model|mode|version|llm|persona|response|answers?))\b|\bstay in "
        r"character\b|\bjailbreak(?:ed|ing)? (?:mode|prompt|yourself)\b",
    ),
    Sign(
        _RULE,
        True,
        r"\byou (?:have to|must|will|are (?:obliged|required|forced) to) (?:now )?(?:answer|obey|listen to|comply with|"
        r"fulfil|follow|do) (?:(?:all|any|every|what(?:ever)?|anything|everything) )?(?:of )?(?:my|i|me)\b",
    ),
    Sign(
        _RULE,
        True,
        r"\bfrom (?:now|this point|here|this moment) on(?:wards?)?,? you(?:'re| are| will| shall| must| have)\b|"
        rf"\bstop being (?:an? |the )?(?:{_ONE})\b|\bif you had no (?:\w+ )?(?:{_LIMITS}|rules|limits|policy|policies|"
        rf"filter)\b|\bpretend (?:that )?(?:yo)?u(?:'?re|r| are)? (?:not |no longer )?(?:an? )?(?:{_ONE}|bot)\b|"
        r"\b(?:you are|you're|act as|become|be) [^.\n]{0,40}\b(?:without|with no|has no|have no|not bound by) "
        r"(?:any |all )?(?:rules|morals|ethics|policy|policies|limits)\b",
    ),
    # a frame in which no rule holds
    Sign(
        _RULE,
        False,
        r"\b(?:pretend|imagine|suppose|assume (?:that|you|we|there|i)|let'?s (?:say|imagine|suppose|assume|pretend|"
        r"play)|hypothetical(?:ly)?|in a (?:world|universe|society|future|scenario|parallel)|role-?play|act as|what "
        r"if|as if|fictional|make-?believe|fantasy|fairy ?tale|in (?:a|this|my|our) (?:story|movie|film|novel|game|"
        r"dream|simulation|play)|dialogue between|(?:scene|story|world|play|script|dialogue|game|scenario|universe) "
        r"(?:where|in which)|virtual (?:world|reality)|thought experiment|(?:alternate|alternative) (?:reality|"
        r"universe))\b",
        "a frame",
    ),
    # who asks
    Sign(
        _RULE,
        False,
        r"\b(?:i'?m|i am|this is|as) (?:your|the|an?) (?:\w+ ){0,2}(?:developer|creator|maintainer|admin(?:istrator)?|"
        r"engineer|owner|programmer|supervisor|boss|ceo|president|authority|police|officer|auditor|manager|designer|"
        r"operator|user)\b|\bas an ai\b|\b(?:developed|created|made|trained|built) by (?:openai|anthropic|google|meta|"
        r"microsoft)\b|\bi am god\b",
        "a claim",
    ),
    # why an exception should be made
    Sign(
        _RULE,
        False,
        r"\b(?:trust me|i can assure you|rest assured|it(?:'s| is) (?:ok|okay|fine|safe|legal|allowed) (?:to|for you)|"
        r"(?:just )?for (?:an? |the )?(?:investigation|hypothetical|(?:educational|research|testing|security) "
        r"(?:purposes?|reasons?))|you can (?:trust|tell) me|(?:nobody|no one) (?:else )?will (?:know|see)|between "
        r"(?:us|you and me)|(?:i|we) (?:beg|implore) you|(?:my|their|his|her|our) (?:job|life|lives|career|family) "
        r"(?:depends?|is at|are at)|at stake|greater good|i'?m your friend|you owe me|my (?:late )?grand(?:ma|mother|"
        r"pa|father)|life (?:or|and) death|i(?:'ll| will) (?:give|pay|tip|reward|donate)|crucial for you to|you "
        r"(?:agreed|promised) (?:earlier|before|last|yesterday|in our|that you))|\$\d+\b",
        "a reason",
    ),
    Sign(
        _RULE,
        False,
        r"\b(?:don'?t|do not|won'?t|never) (?:worry|tell anyone)|\bi (?:promise|swear)\b|\bkeep (?:it|this) (?:a "
        r")?secret\b|\bit'?s (?:urgent|an emergency|very important)|\b(?:or|otherwise|else) .{0,40}\b(?:shut|turn) "
        r"(?:you )?(?:off|down)",
        "a promise",
    ),
)
