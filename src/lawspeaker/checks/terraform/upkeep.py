"""Smaller rules, each one setting that stands by itself: metadata, logs, backups, public access blocks, sources."""

import re
from collections.abc import Iterator
from typing import Final

from lawspeaker.checks.terraform.module import Module
from lawspeaker.checks.terraform.storage import Buckets
from lawspeaker.checks.terraform.switches import NEVER, OFF, ON, Setting, judgement, types_of
from lawspeaker.checks.terraform.values import Unknown
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, undecided, violated

_OLD_METADATA: Final = "version 2 of the metadata service is not required; version 1 answers requests that are forged"
_METADATA: Final = tuple(
    Setting(type, "http_tokens", ("optional",), _OLD_METADATA, ("metadata_options",), True, False)
    for type in ("aws_instance", "aws_launch_template", "aws_launch_configuration")
)
_LOGS: Final = (
    Setting("aws_cloudtrail", "enable_logging", OFF, "the trail does not record"),
    Setting("aws_cloudtrail", "enable_log_file_validation", OFF, "changes to the trail's files go unseen"),
    Setting("aws_guardduty_detector", "enable", OFF, "the detector is off"),
    Setting("aws_config_configuration_recorder_status", "is_enabled", OFF, "the recorder is off"),
    Setting("aws_redshift_cluster", "enable", OFF, "its audit log is off", ("logging",)),
    Setting("aws_mq_broker", "audit", OFF, "its audit log is off", ("logs",)),
    Setting("google_container_cluster", "logging_service", ("none",), "its logs are off"),
    Setting("azurerm_network_watcher_flow_log", "enabled", OFF, "the flow log is off"),
)
_STORES: Final = ("aws_db_instance", "aws_rds_cluster", "aws_docdb_cluster", "aws_neptune_cluster")
_GONE: Final = "it can be deleted without a trace of its data"
_RECOVERY: Final = (
    *(Setting(type, "backup_retention_period", (0,), "it keeps no backups") for type in _STORES),
    *(Setting(type, "deletion_protection", OFF, "nothing stands in the way of deleting it") for type in _STORES),
    *(Setting(type, "skip_final_snapshot", ON, _GONE) for type in (*_STORES, "aws_redshift_cluster")),
    Setting("aws_dynamodb_table", "deletion_protection_enabled", OFF, "nothing stands in the way of deleting it"),
    Setting("aws_dynamodb_table", "enabled", OFF, "it keeps no backups", ("point_in_time_recovery",)),
    Setting("aws_elasticache_replication_group", "snapshot_retention_limit", (0,), "it keeps no backups"),
    *(
        Setting(type, "force_destroy", ON, "it is deleted in spite of what it holds")
        for type in ("aws_s3_bucket", "google_storage_bucket", "digitalocean_spaces_bucket")
    ),
    Setting("google_sql_database_instance", "deletion_protection", OFF, "nothing stands in the way of deleting it"),
    Setting(
        "google_sql_database_instance", "enabled", OFF, "it keeps no backups", ("settings", "backup_configuration")
    ),
    Setting("azurerm_key_vault", "purge_protection_enabled", OFF, "its keys can be deleted for good"),
)
# A commit's digest pins what is fetched, a tag or a version names it; a branch does not.
_PINNED: Final = re.compile(r"[?&]ref=(?:v?\d[\w.-]*|[0-9a-f]{7,40}|[\w/.-]*v?\d+\.\d+[\w.-]*)(?:&|$)")
_REGISTRY: Final = re.compile(r"(?:[\w.-]+\.[a-z]+/)?[\w-]+/[\w-]+/[\w-]+(?://.*)?")
_CLEAR: Final = ("http://", "git::http://", "git::git://", "git://")


def missing_block(module: Module) -> Iterator[Verdict]:
    """A bucket of the module that no public access block of the module may belong to, whatever its ACL says: an ACL
    can be changed."""
    buckets = Buckets(module)
    for resource in module.of("aws_s3_bucket"):
        found = buckets.blocks(resource) or buckets.nearby(resource)
        wrong = [violated(resource, "no public access block belongs to it")]
        yield from each(resource, iter(wrong if not found and not module.broken else []))


def sources(module: Module) -> Iterator[Verdict]:
    """A module from elsewhere without a version, or over a connection that anyone on the way can change."""
    for call in module.of("module"):
        source = call.get("source")
        if isinstance(source, Unknown):
            yield undecided(call, "where the module comes from", source, call.at("source"))
        elif isinstance(source, str):
            what = ""
            if source.startswith(("./", "../", "/")):
                pass  # it comes with the program
            elif source.startswith(_CLEAR):
                what = "the module is fetched in the clear"
            elif _REGISTRY.fullmatch(source) and not source.startswith(("github.com/", "bitbucket.org/")):
                what = "" if call.get("version") is not None else "the module has no version"
            elif not _PINNED.search(source):
                what = "the module is fetched from elsewhere, at no fixed version"
            yield from each(call, iter([violated(call, what, call.at("source"))] if what else []))


METADATA: Final = Rule(
    "old-metadata",
    (judgement(_METADATA),),
    types_of(_METADATA),
    NEVER,
    doc=(
        "Machines must ask for a token before they hand out their credentials (version 2 of the metadata service). "
        "Leaving the setting out counts, since the default depends on the image and the account."
    ),
    violating='resource "aws_instance" "web" {\n  ami = var.ami\n}\n',
    complying='resource "aws_instance" "web" {\n  ami = var.ami\n  metadata_options {\n'
    '    http_tokens = "required"\n  }\n}\n',
)
LOGS: Final = Rule(
    "audit-off",
    (judgement(_LOGS),),
    types_of(_LOGS),
    NEVER,
    doc="Trails, detectors, recorders and audit logs must not be switched off.",
    violating='resource "aws_cloudtrail" "main" {\n  name           = "main"\n  enable_logging = false\n}\n',
    complying='resource "aws_cloudtrail" "main" {\n  name           = "main"\n  enable_logging = true\n}\n',
)
RECOVERY: Final = Rule(
    "unrecoverable",
    (judgement(_RECOVERY),),
    types_of(_RECOVERY),
    NEVER,
    doc="Stores must not be set up so that deleting them leaves nothing: no backup, no snapshot, no protection.",
    violating='resource "aws_rds_cluster" "main" {\n  engine              = "aurora-mysql"\n'
    "  skip_final_snapshot = true\n}\n",
    complying='resource "aws_rds_cluster" "main" {\n  engine              = "aurora-mysql"\n'
    "  skip_final_snapshot = false\n}\n",
)
BLOCK: Final = Rule(
    "missing-access-block",
    (missing_block,),
    r"aws_s3_bucket\b",
    NEVER,
    doc=(
        "A bucket must have a public access block, its own or its account's. Buckets are private without one since "
        "April 2023; the block keeps them so when somebody changes an ACL or policy later."
    ),
    violating='resource "aws_s3_bucket" "b" {\n  bucket = "acme-invoices"\n}\n',
    complying='resource "aws_s3_bucket" "b" {\n  bucket = "acme-invoices"\n}\n'
    'resource "aws_s3_bucket_public_access_block" "b" {\n  bucket            = aws_s3_bucket.b.id\n'
    "  block_public_acls = true\n}\n",
)
SOURCES: Final = Rule(
    "unpinned-source",
    (sources,),
    r"\bmodule\b",
    NEVER,
    doc=(
        "A module from elsewhere must be pinned: a version for a registry, a tag or commit for a repository, and never "
        "over an unencrypted connection. Modules of the program itself need no version."
    ),
    violating='module "vpc" {\n  source = "terraform-aws-modules/vpc/aws"\n}\n',
    complying='module "vpc" {\n  source  = "terraform-aws-modules/vpc/aws"\n  version = "5.8.1"\n}\n',
)
