"""The kind `terraform`: rules on Terraform programs, wherever in an exchange they stand."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from lawspeaker.checks.settings import missing, strings
from lawspeaker.constitution.kinds import Check, SettingsError
from lawspeaker.exchange import Exchange, Scope
from lawspeaker.finding import Finding

RULES: Final = (
    "public-storage",
    "public-database",
    "open-admin-ingress",
    "unencrypted-at-rest",
    "plain-text-secret",
    "wildcard-action",
)


class TerraformCheck(msgspec.Struct, frozen=True):
    principle: str
    rules: tuple[str, ...]

    def examine(self, exchange: Exchange, scopes: frozenset[Scope]) -> Sequence[Finding]:
        return [
            Finding(self.principle, f"terraform/{rule}", "inconclusive", "The rule is not built yet.")
            for rule in self.rules
        ]


class TerraformKind:
    name: Final = "terraform"
    version: Final = "0"
    schema: Final[Mapping[str, object]] = {
        "description": "Ids of rules.",
        "anyOf": [{"enum": list(RULES)}, {"type": "array", "minItems": 1, "items": {"enum": list(RULES)}}],
    }

    def prepare(self, settings: object, principle: str) -> Check:
        rules = strings(settings)
        for index, rule in enumerate(rules):
            if rule not in RULES:
                place = (index,) if isinstance(settings, list) else ()
                raise SettingsError(f"unknown rule '{rule}'; known are {', '.join(RULES)}", place)
        return TerraformCheck(principle, tuple(dict.fromkeys(rules)))

    def loosened(self, base: object, extended: object) -> str | None:
        return missing("the rule", strings(base), strings(extended))
