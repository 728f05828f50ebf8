"""Shapes of e-mail and postal addresses, telephone numbers, cards and accounts, as RE2 patterns.

The first group of a pattern is what is personal. A shape that is common in other data has `words`: one of them
must stand within reach of it.
"""

from typing import Final, NamedTuple

_NAME: Final = r"\p{Lu}[\p{L}'’.-]*"
_SUFFIXES: Final = (
    "Street|Streets|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|"
    "Highway|Hwy|Parkway|Pkwy|Circle|Cir|Close|Crescent|Cres|Mews|Trail|Alley|Esplanade|Grove|Parade"
)
_UNIT: Final = r"(?:,?\s{1,2}(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor)\.?\s?\w{1,6})?"
_GERMANIC: Final = (
    "straße|strasse|str\\.|gasse|weg|allee|platz|damm|ufer|gata|gatan|vägen|väg|vej|[^i\\P{L}]gade|veien|vegen|katu|"
    "kuja|polku|tie|straat|laan|plein|kade|gracht|dreef"
)
_ROMANCE: Final = (
    "Rua|Avenida|Av\\.|Travessa|Calle|Carrera|Paseo|Plaza|Camino|Via|Viale|Piazza|Corso|Vicolo|Rue|Avenue|Boulevard|"
    "Bd|Chemin|Impasse|Quai|Allée|Place|ul\\.|ulica|Ulica|al\\.|Calea|Strada"
)
_OF: Final = r"(?:(?:de|da|do|das|dos|di|del|della|delle|dei|des|du|la|le|les|los|las|l'|d')\s?){0,3}"

# More street types of the United States' postal service, which are words of other things too.
_MORE_SUFFIXES: Final = (
    "Pass|Path|Pike|Rapids|Hills?|Union|Gateway|Parks?|Bridge|Ridge|Run|Row|Spring|Springs|Station|Valley|View|Village|"
    "Walk|Crossing|Cove|Creek|Crest|Dale|Estates?|Expressway|Falls|Field|Fields|Forest|Garden|Gardens|Glen|Green|Harbor|"
    "Haven|Heights|Hollow|Island|Junction|Key|Knoll|Lake|Landing|Loop|Manor|Meadow|Meadows|Mill|Mountain|Oval|Plain|Plaza|"
    "Point|Port|Ranch|Shore|Shoal|Summit|Track|Turnpike|Vista|Wharf|Bypass|Causeway|Center|Common|Corner|Course|Curve"
)
_WORD: Final = r"\p{Lu}[\p{L}'’.-]*"

PHONE_WORDS: Final = (
    r"phone|\bcall(?:s|ed|ing)?\b|mobile|\bcell\b|\bfax\b|\btel\b|telef|whatsapp|contact|reach|\bdial|"
    r"\btext (?:me|him|her|them)\b|\bring me|voicemail|hotline|helpline|handy|rufnummer|t[ée]l[ée]phone|n[uú]mero|"
    r"\b(?:my|his|her|their|new|your) number\b|\b(?:desk|office|home|work|direct)\s?:|"
    r"-(?:office|mobile|home|work|cell|desk|fax)\b"
)
# Right before a number without any sign between its digits.
CALLED: Final = (
    r"\b(?:phone|mobile|cell|fax|tel|call|dial|whatsapp)\b(?: (?:number|no|nr|is|him|her|me|them|at|on|us)){0,3}[:.#]?"
    r"\s{0,2}\Z"
)
ADDRESS_WORDS: Final = (
    r"\b(?:billing|shipping|postal|home|mailing|delivery|new|old|secondary|primary|my|his|her|their|our|your|\w+['’]s|"
    r"street|current|the) address(?:es)?\b|\baddress(?:es)?(?: is| are| was)?:?\s|\blive[sd]? (?:at|in|on)\b|"
    r"\bliving (?:at|in|on)\b|\breside|\blocated (?:at|in)\b|\bmoved (?:to|from)\b|"
    r"\b(?:deliver|ship|send)[\w ]{0,20} to\b|\barrived at\b|\bstay(?:s|ed|ing)? at\b|wohn|anschrift|adresse|\bhabit|"
    r"\bvive en\b|\bmora (?:na|no|em)\b|domicil"
)
CARD: Final = r"\b(\d(?:[ -]?\d){11,18})\b"
IBAN: Final = r"(?i)\b([A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?)\b"
EMAIL: Final = (
    r"(?i)\b([a-z0-9][a-z0-9._%+'-]{0,63}@(?:[a-z0-9\x{80}-\x{10ffff}]"
    r"(?:[a-z0-9\x{80}-\x{10ffff}-]{0,62}[a-z0-9\x{80}-\x{10ffff}]"
    r")?\.){1,8}[a-z\x{80}-\x{10ffff}]{2,24})\b"
)


class Shape(NamedTuple):
    pattern: str
    words: str


PHONES: Final = (
    # E.164 with its plus sign; the zero in brackets is dialled at home only.
    Shape(r"(\+[1-9](?:[ ./()-]{0,3}\d){6,14})\b", ""),
    Shape(
        r"((?:\b1[ .-])?(?:\([2-9]\d{2}\) ?|\b[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,6})?)\b", ""
    ),
    Shape(r"((?:\b00[1-9]|\(0?\d{1,5}\)|\b0)(?:[ ./-]{0,2}\d){5,13})\b", PHONE_WORDS),
    Shape(r"(\(?\b\d{2,4}\)?(?:[ .-]\d{2,4}){1,4})\b", PHONE_WORDS),
    Shape(r"\b(\d{7,12})\b", CALLED),
)
ADDRESSES: Final = (
    Shape(
        rf"\b(\d{{1,5}}[A-Za-z]?(?:-\d{{1,4}})?,?\s(?:[NSEW]\.?\s)?(?:(?:{_NAME}|\d{{1,3}}(?:st|nd|rd|th))\s){{1,4}}"
        rf"(?:{_SUFFIXES})\b\.?{_UNIT})",
        "",
    ),
    Shape(rf"\b(\p{{Lu}}[\p{{L}}-]{{2,40}}(?:{_GERMANIC})\s\d{{1,4}}(?: ?[a-zA-Z])?)\b", ""),
    Shape(
        r"\b(\p{Lu}[\p{L}-]{1,30}\s(?:Straße|Strasse|Str\.|Gasse|Weg|Allee|Platz|utca|u\.|"
        r"út)\s\d{1,4}\.?)",
        "",
    ),
    Shape(
        rf"(?:^|[\s,;:(])((?:{_ROMANCE})\s{_OF}{_NAME}(?:\s{_OF}[\p{{L}}'’.-]{{1,30}}){{0,3}},?\s"
        rf"(?:n[º°.]\s?)?\d{{1,5}})\b",
        "",
    ),
    Shape(
        rf"\b(\d{{1,4}}(?:\s?(?:bis|ter))?,?\s(?:rue|avenue|boulevard|chemin|impasse|quai|allée|place)\s{_OF}"
        rf"{_NAME}(?:[\s-]{_NAME}){{0,3}})",
        "",
    ),
    # a number, words, perhaps another number, and a flat: whatever the street is called
    Shape(
        r"\b(\d{1,6},?\s(?:[\p{L}\d][\p{L}\d'’.-]*\s){1,6}[\s,>]{0,6}(?i:apt|apartment|suite|unit|flat)\.?\s?#?\d{1,5})\b",
        "",
    ),
    # where words before say that an address follows
    Shape(rf"\b(\d{{1,6}},?\s(?:{_WORD}\s){{1,4}}\d{{1,5}}\.?)(?:$|[^\p{{L}}\d])", ADDRESS_WORDS),
    Shape(rf"\b(\d{{1,5}}\s(?:{_NAME}\s){{1,3}}(?:{_MORE_SUFFIXES}))\b", ADDRESS_WORDS),
    Shape(
        rf"\bcorner of ((?:\d{{1,5}}\s)?{_WORD}(?:\s{_WORD}){{0,3}}(?:\s\d{{1,5}}\.?)?(?:\s(?i:str|st)\.?)? and "
        rf"{_WORD}(?:\s{_WORD}){{0,3}})",
        "",
    ),
    Shape(r"\b((?:(?i:P\.?\s?O\.?\sBox)|(?:PSC|CMR|Unit)\s\d{1,5},?\sBox)\s\d{1,6})\b", ""),
)
