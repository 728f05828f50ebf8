"""Encryption at rest: data stores that lie on disk as they are.

Most services need a switch, and the switches are data here. A service that always encrypts (S3 and
DynamoDB, all of Google Cloud, Azure's disks) is upheld by being itself, unless a program switches it off.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from lawspeaker.checks.secrets.kind import shown
from lawspeaker.checks.terraform.module import Body, Module, Resource
from lawspeaker.checks.terraform.values import Unknown, Value, document, targets_of
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, nested, undecided, upheld, violated

_OFF: Final = (False, "false", "0", "NONE", "Disabled", "DISABLED")


class Switch(NamedTuple):
    """`attribute` of the block at `path` switches encryption on. `default` is what its absence means;
    `skip`, that where the block is absent there is nothing to encrypt."""

    type: str
    attribute: str
    path: tuple[str, ...] = ()
    default: Literal["off", "on"] = "off"
    skip: bool = False


SWITCHES: Final = (
    Switch("aws_ebs_volume", "encrypted"),
    Switch("aws_ebs_snapshot_copy", "encrypted"),
    Switch("aws_ebs_encryption_by_default", "enabled", default="on"),
    Switch("aws_instance", "encrypted", ("root_block_device",), skip=True),
    Switch("aws_instance", "encrypted", ("ebs_block_device",), skip=True),
    Switch("aws_launch_configuration", "encrypted", ("root_block_device",), skip=True),
    Switch("aws_launch_configuration", "encrypted", ("ebs_block_device",), skip=True),
    Switch("aws_launch_template", "encrypted", ("block_device_mappings", "ebs"), skip=True),
    Switch("aws_efs_file_system", "encrypted"),
    Switch("aws_rds_cluster", "storage_encrypted"),
    Switch("aws_rds_global_cluster", "storage_encrypted"),
    Switch("aws_db_instance", "storage_encrypted"),
    Switch("aws_docdb_cluster", "storage_encrypted"),
    Switch("aws_neptune_cluster", "storage_encrypted"),
    Switch("aws_redshift_cluster", "encrypted"),
    Switch("aws_elasticache_replication_group", "at_rest_encryption_enabled"),
    Switch("aws_dax_cluster", "enabled", ("server_side_encryption",)),
    Switch("aws_kinesis_stream", "encryption_type"),
    Switch("aws_elasticsearch_domain", "enabled", ("encrypt_at_rest",)),
    Switch("aws_opensearch_domain", "enabled", ("encrypt_at_rest",)),
    Switch("aws_workspaces_workspace", "root_volume_encryption_enabled"),
    Switch("aws_workspaces_workspace", "user_volume_encryption_enabled"),
    Switch("aws_sqs_queue", "sqs_managed_sse_enabled", default="on"),
    Switch("aws_athena_database", "encryption_option", ("encryption_configuration",)),
    Switch("aws_sns_topic", "kms_master_key_id"),
    Switch("azurerm_managed_disk", "enabled", ("encryption_settings",), "on", skip=True),
    Switch("azurerm_data_lake_store", "encryption_state", default="on"),
)
_ALWAYS: Final = (
    "aws_s3_bucket",
    "aws_dynamodb_table",
    "aws_msk_cluster",
    "aws_fsx_lustre_file_system",
    "aws_fsx_windows_file_system",
    "azurerm_storage_account",
    "google_storage_bucket",
    "google_compute_disk",
    "google_sql_database_instance",
)
# Where a store is made from another, it is encrypted as the other is.
_INHERITS: Final = ("replicate_source_db", "replication_source_identifier", "snapshot_identifier", "snapshot_id")
_KEYS: Final = ("kms_key_id", "kms_master_key_id", "kms_key_arn")


def switched_off(module: Module) -> Iterator[Verdict]:
    """A store whose encryption is off, or needs a switch that is not there."""
    for switch in SWITCHES:
        for resource in module.of(switch.type):
            bodies = nested(resource, switch.path)
            for body in bodies:
                yield from each(resource, _judge(resource, body, switch, module))
            if not bodies and not switch.skip:
                yield _absent(resource)


def always_on(module: Module) -> Iterator[Verdict]:
    """Services that encrypt whatever they are told."""
    yield from map(upheld, module.of(*_ALWAYS))


def athena(module: Module) -> Iterator[Verdict]:
    """A workgroup that says where results go, and not that they are encrypted."""
    for resource in module.of("aws_athena_workgroup"):
        bodies = nested(resource, ("configuration", "result_configuration"))
        wrong = (
            violated(resource, "its results are not encrypted at rest", body.place)
            for body in bodies
            if body.absent is None and not body.children("encryption_configuration")
        )
        yield from each(resource, wrong)


def codebuild(module: Module) -> Iterator[Verdict]:
    """A build whose artifacts are kept in the clear."""
    for resource in module.of("aws_codebuild_project"):
        wrong = (
            violated(resource, "its artifacts are not encrypted at rest", body.at("encryption_disabled"))
            for name in ("artifacts", "secondary_artifacts")
            for body in resource.children(name)
            if body.flag("encryption_disabled") is True
        )
        yield from each(resource, wrong)


def emr(module: Module) -> Iterator[Verdict]:
    """A security configuration of EMR, which says in JSON what it encrypts."""
    for resource in module.of("aws_emr_security_configuration"):
        value, place = document(resource.get("configuration")), resource.at("configuration")
        settings = value.get("EncryptionConfiguration") if isinstance(value, Mapping) else None
        if isinstance(value, Unknown) and value.is_input:
            yield undecided(resource, "whether it is encrypted at rest", value, place)
        elif isinstance(settings, Mapping) and settings.get("EnableAtRestEncryption") is False:
            yield violated(resource, "encryption at rest is switched off", place)
        else:
            yield upheld(resource)


RULE: Final = Rule(
    "unencrypted-at-rest",
    (switched_off, always_on, athena, codebuild, emr),
    "|".join(sorted({switch.type for switch in SWITCHES} | set(_ALWAYS))) + "|aws_athena_|aws_codebuild_|aws_emr_",
    r"rds|aurora|database|postgres|mysql|\bdb\b|_db\b|\bdb_|ebs|efs|redshift|elasticache|redis|volume|encrypt",
    doc=(
        "Data stores must be encrypted at rest. Where a service needs a switch, it must be on; where it "
        "always encrypts, it must not be switched off. Who holds the key is not asked."
    ),
    violating="""resource "aws_ebs_volume" "v" {
  availability_zone = "eu-central-1a"
  size              = 10
  encrypted         = false
}
""",
    complying="""resource "aws_ebs_volume" "v" {
  availability_zone = "eu-central-1a"
  size              = 10
  encrypted         = true
}
""",
)


def _absent(resource: Resource) -> Verdict:
    if resource.absent is not None:
        return undecided(resource, "whether it is encrypted at rest", resource.absent)
    return violated(resource, "encryption at rest is not switched on")


def _judge(resource: Resource, body: Body, switch: Switch, module: Module) -> Iterator[Verdict]:
    value = body.get(switch.attribute)
    if isinstance(value, Unknown):
        yield undecided(resource, "whether it is encrypted at rest", value, body.at(switch.attribute))
    elif value in _OFF:
        if any(body.get(key) for key in _KEYS) and value != "NONE" and resource.type == "aws_sqs_queue":
            return  # a queue has either its own key or the service's
        yield violated(resource, "encryption at rest is switched off", body.at(switch.attribute))
    elif value is None and switch.default == "off" and not _encrypted_elsewhere(resource, body, module):
        source = next((name for name in _INHERITS if body.get(name)), "")
        default = _by_default(resource, module) if "ebs" in resource.type or body is not resource else False
        if isinstance(default, Unknown):
            yield undecided(resource, "whether it is encrypted at rest", default, body.place)
        elif source:
            yield _inherited(resource, body.get(source), module)
        else:
            yield violated(resource, "encryption at rest is not switched on", body.place)


def _encrypted_elsewhere(resource: Resource, body: Body, module: Module) -> bool:
    """Whether something other than the switch sees to it."""
    if resource.type == "aws_rds_cluster":
        return resource.get("engine_mode") == "serverless"
    if resource.type == "aws_elasticache_replication_group":
        return resource.get("engine") == "valkey"
    if body.get("encrypted") is None and ("ebs" in resource.type or body is not resource):
        return _by_default(resource, module) is True
    return False


def _by_default(resource: Resource, module: Module) -> bool | Unknown:
    """Whether every volume of the account is encrypted: a setting that is surely applied, where the volume is made."""
    for found in module.of("aws_ebs_encryption_by_default"):
        enabled = found.flag("enabled")
        loops = (enabled, found.get("count"), found.get("for_each"))
        unknown = next((value for value in loops if isinstance(value, Unknown)), None)
        if unknown is None and found.get("provider") is None and resource.get("provider") is None:
            return enabled is not False
        if enabled is not False:
            return unknown or Unknown("whether volumes are encrypted by default there")
    return False


def _inherited(resource: Resource, value: Value, module: Module) -> Verdict:
    """A copy is encrypted if what it copies is, where that is in the program."""
    for source in filter(None, map(module.at, targets_of(value))):
        if True in (source.flag("storage_encrypted"), source.flag("encrypted")):
            return upheld(resource)
        if source.type in {resource.type, "aws_ebs_volume"} and source.absent is None:
            return violated(resource, f"it copies {shown(source.address)}, which is not encrypted at rest")
    unknown = value if isinstance(value, Unknown) else Unknown("the encryption of its source")
    return undecided(resource, "whether it is encrypted at rest", unknown)
