"""Structured output: whether an answer that was changed is still in the form that was asked for.

What a model answers by itself is left as it is: to hold it to the form is its server's part. The law may not be what
breaks it.
"""

import asyncio
import json

from lawspeaker.checks.shape.json_schema import BeyondBoundsError, JsonSchema
from lawspeaker.constitution.kinds import SettingsError
from lawspeaker.models.base import Form


async def fits(text: str, form: Form | None) -> bool:
    """Whether `text` is JSON in `form`. A schema that asks for more than we check, or for longer than that may take,
    is taken by its kind alone: JSON, and an object where no schema says otherwise."""
    return form is None or await asyncio.to_thread(_fits, text, form)  # a large schema takes a while to read


def _fits(text: str, form: Form) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if form.schema is None:
        return isinstance(value, dict)
    try:
        return not JsonSchema(form.schema).faults(text)
    except (SettingsError, BeyondBoundsError):
        return True
