"""Reading a check's settings strictly.

Settings arrive as plain data from a constitution. Every error says what would be right and carries the path
of the wrong value, so that the loader can name its line.
"""

from collections.abc import Collection, Mapping, Sequence

from lawspeaker.constitution.kinds import SettingsError

Path = tuple[str | int, ...]


def fields(settings: object, allowed: Collection[str], required: Collection[str] = ()) -> dict[str, object]:
    """`settings` as a mapping that has all `required` keys and none beyond `allowed`."""
    if not isinstance(settings, dict):
        raise SettingsError(f"expected a mapping with the keys {', '.join(sorted(allowed))}")
    for key in settings:
        if key not in allowed:
            raise SettingsError(f"unknown key '{key}'; known are {', '.join(sorted(allowed))}", (str(key),))
    for key in required:
        if key not in settings:
            raise SettingsError(f"the key '{key}' is missing")
    return settings


def strings(value: object, path: Path = ()) -> tuple[str, ...]:
    """A string or a list of strings, as a tuple."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not value:
        raise SettingsError("expected a string or a list of strings", path)
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise SettingsError("expected a string", (*path, index))
    return tuple(value)


def sentence(value: object, path: Path = ()) -> str:
    """A text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise SettingsError("expected a sentence", path)
    return value.strip()


def flag(value: object, path: Path = ()) -> bool:
    if not isinstance(value, bool):
        raise SettingsError("expected true or false", path)
    return value


def count(value: object, path: Path = ()) -> int:
    """A whole number above zero."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingsError("expected a whole number above 0", path)
    return value


def chosen(given: Mapping[str, object], key: str, known: Sequence[str]) -> tuple[str, ...]:
    """The names that stand under `key`, each of `known` and once, in its order; all where it is left out."""
    if key not in given:
        return tuple(known)
    names = strings(given[key], (key,))
    for index, name in enumerate(names):
        if name not in known:
            raise SettingsError(f"unknown {key[:-1]} '{name}'; known are {', '.join(known)}", (key, index))
        if name in names[:index]:
            raise SettingsError(f"'{name}' stands twice", (key, index))
    return tuple(name for name in known if name in names)


def missing(what: str, base: Sequence[str], extended: Sequence[str]) -> str | None:
    """A sentence about what `extended` no longer lists, or None."""
    gone = [item for item in base if item not in extended]
    return f"drops {what} {', '.join(gone)}" if gone else None
