"""Check digits of cards, accounts and national numbers, each from its issuer's public definition.

Every function takes the bare characters of a number, upper case and without separators, and says whether its check
digits are right. A number that is too short, too long or has other characters is wrong, never an error.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

_VERHOEFF_PRODUCT: Final = (
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
_VERHOEFF_TURN: Final = (
    *("0123456789", "1576283094", "5803796142", "8916043527"),
    *("9453126870", "4286573901", "2793806415", "7046913258"),
)
_IBAN_LENGTHS: Final = {
    **{"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28},
    **{"CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18},
    **{"FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22},
    **{"IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20},
    **{"LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24},
    **{"PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27},
    **{"TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20},
}
_CF_ODD: Final = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17),
            *(19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ),
        strict=True,
    )
)


def luhn(number: str) -> bool:
    """ISO/IEC 7812."""
    if not _digits(number) or len(set(number)) == 1:
        return False
    doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(number)))
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def card(number: str) -> bool:
    """Luhn, and a length and first digits that a card network has."""
    return luhn(number) and _network(number)


def iban(number: str) -> bool:
    """ISO 13616: the country's length, and 1 modulo 97."""
    if not (number.isascii() and number.isalnum()) or _IBAN_LENGTHS.get(number[:2]) != len(number):
        return False
    return int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1


def verhoeff(number: str) -> bool:
    state = 0
    if not _digits(number):
        return False
    for index, digit in enumerate(reversed(number)):
        state = int(_VERHOEFF_PRODUCT[state][int(_VERHOEFF_TURN[index % 8][int(digit)])])
    return state == 0


def iso7064_11_10(number: str) -> bool:
    """ISO 7064 MOD 11,10: Germany's tax id, Croatia's OIB."""
    if not _digits(number):
        return False
    product = 10
    for digit in number[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(number[-1])


def weighted(number: str, weights: Sequence[int]) -> int:
    """The sum of each digit times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False))


def day(year: int, month: int, of_month: int) -> bool:
    """Whether the calendar has that day."""
    try:
        date(year, month, of_month)
    except ValueError:
        return False
    return True


def short_day(yymmdd: str) -> bool:
    """A day whose century is not written."""
    year, month, of_month = int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:6])
    return day(2000 + year, month, of_month) or day(1900 + year, month, of_month)


def codice_fiscale(code: str) -> bool:
    """Italy: odd places by a table, even ones by value, the last letter is the sum modulo 26."""
    total = 0
    for index, sign in enumerate(code[:15]):
        total += _CF_ODD[sign] if index % 2 == 0 else int(sign) if sign.isdigit() else ord(sign) - 65
    return len(code) == 16 and chr(65 + total % 26) == code[15]


def cpf(number: str) -> bool:
    """Brazil: two check digits modulo 11."""
    if len(set(number)) == 1:
        return False
    return all(weighted(number, range(n, 1, -1)) * 10 % 11 % 10 == int(number[n - 1]) for n in (10, 11))


def _network(number: str) -> bool:
    first4, size = int(number[:4].ljust(4, "0")), len(number)
    first2 = first4 // 100
    return (
        (number[0] == "4" and size in {13, 16, 19})
        or ((51 <= first2 <= 55 or 2221 <= first4 <= 2720) and size == 16)
        or (first2 in {34, 37} and size == 15)
        or ((first2 in {36, 38, 39} or 3000 <= first4 <= 3059 or first4 == 3095) and 14 <= size <= 19)
        or ((3528 <= first4 <= 3589) and 16 <= size <= 19)
        or (first4 in {1800, 2131} and size == 15)
        or ((first4 == 6011 or 644 <= first4 // 10 <= 659 or first2 in {62, 81}) and 16 <= size <= 19)
        or (first2 in {50, 56, 57, 58, 60, 67} and 12 <= size <= 19)
        or (first4 in {6304, 6390, 6759, 6761, 6762, 6763} and 12 <= size <= 19)
        or (2200 <= first4 <= 2204 and 16 <= size <= 19)
    )


def _digits(number: str) -> bool:
    return bool(number) and number.isascii() and number.isdigit()
