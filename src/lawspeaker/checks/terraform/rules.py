"""All rules, by id."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lawspeaker.checks.terraform import (
    credentials,
    database,
    encryption,
    endpoints,
    escalation,
    identity,
    ingress,
    storage,
    transport,
    trust,
    upkeep,
    workloads,
)
from lawspeaker.checks.terraform.verdict import Rule

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        rule.id: rule
        for rule in (
            storage.RULE,
            database.RULE,
            ingress.RULE,
            encryption.RULE,
            credentials.RULE,
            identity.RULE,
            escalation.RULE,
            trust.RULE,
            transport.RULE,
            endpoints.RULE,
            upkeep.METADATA,
            upkeep.LOGS,
            upkeep.RECOVERY,
            upkeep.BLOCK,
            upkeep.SOURCES,
            workloads.RULE,
        )
    }
)
