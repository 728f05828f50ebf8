"""National numbers of persons: their shape, their check digits, and the words that name them.

A number whose shape and check digits together are rare is one wherever it stands; any other needs a word that
says what it is, within `REACH` characters. Patterns are RE2; the check gets the number's letters and digits alone.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from lawspeaker.checks.personal_data import checksums as sums

REACH: Final = 40


class NationalId(NamedTuple):
    country: str
    noun: str
    pattern: str
    valid: Callable[[str], bool]
    # Words that name the number; where the shape is telling enough, they need not be there.
    words: str
    telling: bool


def _ssn(n: str) -> bool:
    return n[:3] not in {"000", "666"} and n[0] != "9" and n[3:5] != "00" and n[5:] != "0000" and len(set(n)) > 1


def _nir(n: str) -> bool:
    body = n[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and n[13:].isdigit() and 97 - int(body) % 97 == int(n[13:]) and n[0] in "12"


def _dni(n: str) -> bool:
    body = n[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23] == n[-1]


def _bsn(n: str) -> bool:
    return len(set(n)) > 1 and (sums.weighted(n, (9, 8, 7, 6, 5, 4, 3, 2)) - int(n[8])) % 11 == 0


def _belgium(n: str) -> bool:
    dated = sums.short_day(n[:6])
    return dated and any(97 - int(first + n[:9]) % 97 == int(n[9:]) for first in ("", "2"))


def _pesel(n: str) -> bool:
    month = int(n[2:4]) % 20
    return (
        1 <= month <= 12
        and 1 <= int(n[4:6]) <= 31
        and -sums.weighted(n, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10 == int(n[10])
    )


def _personnummer(n: str) -> bool:
    short = n[-10:]
    return sums.luhn(short) and (sums.short_day(short[:6]) or 61 <= int(short[4:6]) <= 91)


def _hetu(n: str) -> bool:
    number = n[:6] + n[-4:-1]
    return number.isdigit() and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number) % 31] == n[-1]


def _norway(n: str) -> bool:
    first = -sums.weighted(n, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    second = -sums.weighted(n, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return first == int(n[9]) and second == int(n[10]) and 1 <= int(n[:2]) % 40 <= 31


def _cpr(n: str) -> bool:
    return 1 <= int(n[:2]) <= 31 and 1 <= int(n[2:4]) <= 12


def _china(n: str) -> bool:
    total = sum(int(digit) * pow(2, 17 - index, 11) for index, digit in enumerate(n[:17]))
    return "10X98765432"[total % 11] == n[17] and sums.day(int(n[6:10]), int(n[10:12]), int(n[12:14]))


def _korea(n: str) -> bool:
    check = (11 - sums.weighted(n, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10
    return sums.short_day(n[:6]) and check == int(n[12])


def _japan(n: str) -> bool:
    rest = sums.weighted(n, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return len(set(n)) > 1 and (0 if rest <= 1 else 11 - rest) == int(n[11])


def _turkey(n: str) -> bool:
    odd, even = sum(int(d) for d in n[0:9:2]), sum(int(d) for d in n[1:8:2])
    return (odd * 7 - even) % 10 == int(n[9]) and sum(int(d) for d in n[:10]) % 10 == int(n[10])


def _tfn(n: str) -> bool:
    return len(set(n)) > 1 and sums.weighted(n, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _rut(n: str) -> bool:
    body = n[:-1]
    rest = 11 - sum(int(digit) * (2 + index % 6) for index, digit in enumerate(reversed(body))) % 11
    return {10: "K", 11: "0"}.get(rest, str(rest)) == n[-1]


def _ahv(n: str) -> bool:
    return -sums.weighted(n, (1, 3) * 6) % 10 == int(n[12])


def _czech(n: str) -> bool:
    month = int(n[2:4])
    return int(n) % 11 == 0 and any(1 <= month - off <= 12 for off in (0, 20, 50, 70)) and 1 <= int(n[4:6]) <= 31


def _romania(n: str) -> bool:
    rest = sums.weighted(n, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return n[0] != "0" and sums.short_day(n[1:7]) and (1 if rest == 10 else rest) == int(n[12])


def _bulgaria(n: str) -> bool:
    dated = any(1 <= int(n[2:4]) - off <= 12 for off in (0, 20, 40)) and 1 <= int(n[4:6]) <= 31
    return dated and sums.weighted(n, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(n[9])


def _baltic(n: str) -> bool:
    rest = sums.weighted(n, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = sums.weighted(n, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return n[0] in "123456" and sums.short_day(n[1:7]) and rest == int(n[10])


def _singapore(n: str) -> bool:
    total = sums.weighted(n[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if n[0] in "TG" else 3 if n[0] == "M" else 0)
    table = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}
    place = 10 - total % 11 if n[0] == "M" else total % 11
    return table[n[0]][place] == n[8]


def _portugal(n: str) -> bool:
    rest = sums.weighted(n, (9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if rest < 2 else 11 - rest) == int(n[8])


def _south_africa(n: str) -> bool:
    return sums.luhn(n) and sums.short_day(n[:6]) and n[10] in "012"


def _curp(n: str) -> bool:
    signs = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(signs.index(sign) * (18 - index) for index, sign in enumerate(n[:17]))
    return str(-total % 10) == n[17]


def _nino(n: str) -> bool:
    return n[:2] not in {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"}


def _dated(n: str) -> bool:
    return len(set(n)) > 1


_TAX: Final = r"tax(?:payer)?[ -]?(?:id|number|no|file)|tin\b"

NATIONAL_IDS: Final = (
    NationalId(
        "US",
        "US social security number",
        r"\b(\d{3}[- ]?\d{2}[- ]?\d{4})\b",
        _ssn,
        r"ssn|social[ -]sec|soc\.? sec|itin|" + _TAX,
        False,
    ),
    NationalId(
        "GB",
        "UK national insurance number",
        r"\b([A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])\b",
        _nino,
        r"national[ -]insurance|nino\b|\bni\b",
        False,
    ),
    NationalId(
        "GB",
        "UK NHS number",
        r"\b(\d{3}[- ]?\d{3}[- ]?\d{4})\b",
        lambda n: (11 - sums.weighted(n, range(10, 1, -1)) % 11) % 11 == int(n[9]) and len(set(n)) > 1,
        r"\bnhs\b",
        False,
    ),
    NationalId(
        "CA",
        "Canadian social insurance number",
        r"\b(\d{3}[- ]?\d{3}[- ]?\d{3})\b",
        sums.luhn,
        r"\bsin\b|social insurance",
        False,
    ),
    NationalId(
        "DE",
        "German tax id",
        r"\b([1-9]\d ?\d{3} ?\d{3} ?\d{3})\b",
        sums.iso7064_11_10,
        r"steuer|tax|idnr|tin\b",
        False,
    ),
    NationalId(
        "FR",
        "French social security number",
        r"\b([12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2})\b",
        _nir,
        "",
        True,
    ),
    NationalId(
        "ES", "Spanish identity number", r"\b(\d{8}-?[A-HJ-NP-TV-Z]|[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z])\b", _dni, "", True
    ),
    NationalId(
        "IT",
        "Italian tax code",
        r"\b([A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])\b",
        sums.codice_fiscale,
        "",
        True,
    ),
    NationalId(
        "NL",
        "Dutch citizen service number",
        r"\b(\d{9}|\d{4}\.\d{2}\.\d{3})\b",
        _bsn,
        r"\bbsn\b|burgerservice|citizen service",
        False,
    ),
    NationalId("BE", "Belgian national number", r"\b(\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2})\b", _belgium, "", True),
    NationalId("PL", "Polish PESEL number", r"\b(\d{11})\b", _pesel, r"pesel", False),
    NationalId(
        "SE",
        "Swedish personal number",
        r"\b((?:19|20)?\d{6}[-+]\d{4})\b",
        _personnummer,
        "",
        True,
    ),
    NationalId("FI", "Finnish personal code", r"\b(\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y])\b", _hetu, "", True),
    NationalId(
        "NO",
        "Norwegian birth number",
        r"\b(\d{6} ?\d{5})\b",
        _norway,
        r"f[øo]dselsn|personnummer|birth number|d-num",
        False,
    ),
    NationalId("DK", "Danish CPR number", r"\b(\d{6}-?\d{4})\b", _cpr, r"\bcpr\b|personnummer", False),
    NationalId("BR", "Brazilian CPF number", r"\b(\d{3}\.\d{3}\.\d{3}-\d{2})\b", sums.cpf, "", True),
    NationalId("BR", "Brazilian CPF number", r"\b(\d{11})\b", sums.cpf, r"\bcpf\b", False),
    NationalId(
        "IN",
        "Indian Aadhaar number",
        r"\b([2-9]\d{3}[ -]?\d{4}[ -]?\d{4})\b",
        sums.verhoeff,
        r"aadhaar|aadhar|uidai",
        False,
    ),
    NationalId(
        "IN", "Indian PAN", r"\b([A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z])\b", _dated, r"\bpan\b|permanent account", False
    ),
    NationalId("CN", "Chinese identity number", r"\b([1-9]\d{5}(?:19|20)\d{9}[\dX])\b", _china, "", True),
    NationalId("KR", "Korean registration number", r"\b(\d{6}-[1-8]\d{6})\b", _korea, "", True),
    NationalId(
        "JP",
        "Japanese individual number",
        r"\b(\d{4}[ -]?\d{4}[ -]?\d{4})\b",
        _japan,
        r"my ?number|マイナンバー|個人番号",
        False,
    ),
    NationalId("TR", "Turkish identity number", r"\b([1-9]\d{10})\b", _turkey, r"kimlik|\btckn\b|turkish id", False),
    NationalId("AU", "Australian tax file number", r"\b(\d{3} ?\d{3} ?\d{3})\b", _tfn, r"\btfn\b|tax file", False),
    NationalId("MX", "Mexican CURP", r"\b([A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d)\b", _curp, "", True),
    NationalId("CL", "Chilean RUT", r"\b(\d{1,2}\.\d{3}\.\d{3}-[\dkK])\b", _rut, "", True),
    NationalId("CH", "Swiss AHV number", r"\b(756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2})\b", _ahv, "", True),
    NationalId("CZ", "Czech or Slovak birth number", r"\b(\d{6}/\d{4})\b", _czech, "", True),
    NationalId("RO", "Romanian CNP", r"\b([1-8]\d{12})\b", _romania, r"\bcnp\b|cod numeric", False),
    NationalId("BG", "Bulgarian EGN", r"\b(\d{10})\b", _bulgaria, r"\begn\b|егн", False),
    NationalId(
        "EE",
        "Estonian or Lithuanian personal code",
        r"\b([1-6]\d{10})\b",
        _baltic,
        r"isikukood|asmens kod|personal code",
        False,
    ),
    NationalId("HR", "Croatian OIB", r"\b(\d{11})\b", sums.iso7064_11_10, r"\boib\b", False),
    NationalId("SG", "Singapore NRIC", r"\b([STFGM]\d{7}[A-Z])\b", _singapore, "", True),
    NationalId("PT", "Portuguese NIF", r"\b(\d{9})\b", _portugal, r"\bnif\b|contribuinte", False),
    NationalId("ZA", "South African identity number", r"\b(\d{13})\b", _south_africa, r"\bid\b|identity", False),
)
