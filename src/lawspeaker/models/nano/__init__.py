"""The bundled model: trained from scratch by `recipes/nano`, run by NumPy alone; what it is for: `CARD.md`."""

from lawspeaker.models.nano.chat import Nano

__all__ = ["Nano"]
