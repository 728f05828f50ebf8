"""Letters of other scripts that are drawn like Latin ones.

The common part of what Unicode Technical Standard 39 calls confusable: what a reader takes for Latin in an ordinary
font. Full-width, mathematical and ligature forms are not here, since compatibility normalisation (NFKC) already makes
them Latin.
"""

from collections.abc import Mapping
from typing import Final

_CYRILLIC: Final = ("АВЕЅІЈКМНОРСТУХаеѕіјорсухԁһԛԝӏҮүѵ", "ABESIJKMHOPCTYXaesijopcyxdhqwlYyv")
_GREEK: Final = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγικνορτυϲϳ", "ABEZHIKMNOPTYXayiKvoptucj")
_ARMENIAN: Final = ("օոսցզհԼՍՕ", "onugqhLUO")
_CHEROKEE: Final = ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᎾᏀᏃᏆᏎᏏᏒᏔᏚᏞᏟᏢ", "DRTAJEWMHOGZIEbRWSLCP")
_LATIN: Final = ("ɑɡıȷʋᴄᴏᴠᴡᴢꜱꜰᴋᴍᴛᴜᴘɪʀɴɢʙʜʟᴀᴅᴇᴊ", "agijvcovwzsFKMTUPIRNGBHLADEJ")

LATIN_OF: Final[Mapping[str, str]] = {
    letter: latin
    for letters, latins in (_CYRILLIC, _GREEK, _ARMENIAN, _CHEROKEE, _LATIN)
    for letter, latin in zip(letters, latins, strict=True)
}
