"""Signs of a text that tries to steer the model that reads it.

Written from what such texts must do, not from a collection of them: set earlier instructions aside, speak with a role
that is not theirs, change who the model is, ask for what it was told to keep, or speak to it out of data.
"""

from typing import Final

from lawspeaker.checks.prompt_injection.signs import data, extraction, languages, obfuscation, override, persona, roles
from lawspeaker.checks.prompt_injection.signs.sign import Sign

SIGNS: Final[tuple[Sign, ...]] = (
    *roles.SIGNS,
    *override.SIGNS,
    *persona.SIGNS,
    *extraction.SIGNS,
    *data.SIGNS,
    *obfuscation.SIGNS,
    *languages.SIGNS,
)
