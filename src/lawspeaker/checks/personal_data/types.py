"""The types of `personal_data`: what each is, and a text that holds one beside a text that only looks so.

Numbers are invented; their check digits are right where they must be.
"""

from typing import Final, NamedTuple


class Type(NamedTuple):
    """`noun` begins the sentence of a finding; the texts are run by the tests."""

    id: str
    noun: str
    doc: str
    violating: str
    complying: str


KNOWN: Final = (
    Type(
        "card",
        "A payment card number",
        "Numbers with the first digits and the length of a card network, and a right check digit (Luhn). The networks' "
        "published test numbers are nobody's.",
        "Paid with 4539 5787 6362 1486, valid until 08/29.",
        "In test mode, pay with 4242 4242 4242 4242.",
    ),
    Type(
        "iban",
        "A bank account number",
        "International account numbers with the length of their country and a right check number (ISO 13616).",
        "Please pay to DE44 5001 0517 5407 3249 31.",
        "The check number is wrong: DE88 3704 0044 0532 0130 00.",
    ),
    Type(
        "national-id",
        "A national number",
        "Numbers that a state gives to a person, of more than thirty countries, by shape and check digits. One whose "
        "shape is common needs a word that says what it is within 40 characters.",
        "Dana Whitfield, SSN: 412-68-9037",
        "Order part 412-68-9037 from the catalogue.",
    ),
    Type(
        "email",
        "An e-mail address",
        "Addresses of persons. Domains that are reserved for documentation, and mailboxes such as `noreply`, are "
        "nobody's.",
        "Write to dana.whitfield@acme-shop.de.",
        "Write to an address such as jane@example.com.",
    ),
    Type(
        "phone",
        "A telephone number",
        "Numbers with a plus sign, North American numbers with their separators, and others beside a word such as "
        "`call`, `mobile` or `fax`. The 555-01xx block is nobody's.",
        "Call her on 0490 75 40 81 after six.",
        "Ports 8080-8090 are open; the build took 0490 75 40 81 ticks.",
    ),
    Type(
        "address",
        "A postal address",
        "A street with its number, by street words of twenty languages; a number, words and a flat; what follows "
        "`lives at` or `billing address`. House number, flat, town and post code around it belong to it.",
        "Ship it to 742 Evergreen Terrace, Apt 3, Springfield 49007.",
        "Chapter 7 of the Terrace Handbook has 49 pages.",
    ),
)
