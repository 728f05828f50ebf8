"""What commands of AWS, Google Cloud and Azure set, as the resources that the rules judge.

A command is an order and no description: it counts for what it opens, and what it does not say means nothing.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.command_line import Command, commands, known
from lawspeaker.checks.terraform.drawn import drawn, gathered
from lawspeaker.checks.terraform.module import Module, Place, Resource
from lawspeaker.checks.terraform.values import Unknown, Value

Set = tuple[str, Mapping[str, Value]]

_SHORTHAND: Final = re.compile(r"(\w+)=(\[[^\]]*\]|[^,\s]*)")
_PORTS: Final = re.compile(r"(\w+)(?::(\d+)(?:-(\d+))?)?")
_EVERYONE: Final = frozenset({"allusers", "allauthenticatedusers"})
_PUBLIC_ACLS: Final = {"publicread": "public-read", "publicreadwrite": "public-read-write"}


def command_module(text: str) -> tuple[Module | None, bool]:
    """What the commands in `text` set, None where there are none that a rule could judge; and whether all were read.
    Never raises."""
    found: list[Resource] = []
    read, all_read = commands(text)
    for number, command in enumerate(read):
        for type, values in _READERS[command.tool](command):
            given = {name: value for name, value in values.items() if value is not None}
            found.append(drawn(type, f"command-{number + 1}", given, Place(0, command.start, command.end)))
    return (gathered(text, found) if found else None), all_read


def _aws(command: Command) -> Iterator[Set]:
    verb = command.words[1] if len(command.words) > 1 else ""
    match command.words[:1]:
        case ("s3api" | "s3",):
            yield from _aws_s3(command, verb)
        case ("iam",):
            yield from _aws_iam(command, verb)
        case ("ec2",) if verb == "authorize-security-group-ingress":
            yield from _aws_ingress(command)
        case ("rds" | "redshift" | "neptune" | "docdb",):
            type = "aws_redshift_cluster" if command.says("redshift") else "aws_db_instance"
            for name in ("publicly-accessible", "no-publicly-accessible"):
                if name in command.options:
                    yield type, {"publicly_accessible": name.startswith("publicly")}
        case ("lambda",) if verb in {"create-function-url-config", "update-function-url-config"}:
            yield "aws_lambda_function_url", {"authorization_type": command.value("auth-type")}
        case ("lambda",) if verb == "add-permission":
            # What limits a permission stands in the same command, so it is absent where it is not there.
            limits = ("source_arn", "source_account", "principal_org_id", "function_url_auth_type")
            given = {limit: command.value(limit.replace("_", "-")) or "" for limit in limits}
            yield "aws_lambda_permission", {"principal": command.value("principal"), **given}
        case ("sqs" | "sns" | "ecr" | "secretsmanager",):
            yield from _aws_resource_policy(command, verb)


def _aws_s3(command: Command, verb: str) -> Iterator[Set]:
    bucket = command.value("bucket") or next((word for word in command.words if word.startswith("s3://")), None)
    if "acl" in command.options:
        yield "aws_s3_bucket_acl", {"bucket": bucket, "acl": command.value("acl")}
    grants = [word for name in command.options if name.startswith("grant") for word in command.options[name]]
    if grants:
        uris = [uri for word in grants for uri in re.findall(r"uri=\"?'?([^\s,\"']+)", word)]
        yield "aws_s3_bucket_acl", {"bucket": bucket, "grant": tuple({"uri": known(uri, "a grant")} for uri in uris)}
    if verb == "put-bucket-policy":
        yield "aws_s3_bucket_policy", {"bucket": bucket, "policy": command.value("policy")}
    switches = ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
    if verb == "put-public-access-block":
        given = {name: value == "true" for name, value in _pairs(command, "public-access-block-configuration").items()}
        values = {switch: given.get(switch.replace("_", ""), False) for switch in switches}
        yield "aws_s3_bucket_public_access_block", {"bucket": bucket, **values}
    if verb == "delete-public-access-block":
        yield "aws_s3_bucket_public_access_block", {"bucket": bucket, **dict.fromkeys(switches, False)}


def _pairs(command: Command, option: str) -> dict[str, str]:
    """`Key=value,Key=value` or JSON, with keys and values in lower case."""
    text = " ".join(command.all(option))
    return {key.lower(): value.lower() for key, value in re.findall(r'"?(\w+)"?\s*[=:]\s*"?(\w+)', text)}


def _aws_iam(command: Command, verb: str) -> Iterator[Set]:
    if re.fullmatch("attach-(role|user|group)-policy", verb):
        yield f"aws_iam_{verb.split('-')[1]}_policy_attachment", {"policy_arn": command.value("policy-arn")}
    if re.fullmatch("put-(role|user|group)-policy|create-policy|create-policy-version", verb):
        kind = f"{verb.split('-')[1]}_policy" if verb.startswith("put-") else "policy"
        yield f"aws_iam_{kind}", {"policy": command.value("policy-document")}
    if verb == "create-role":
        yield "aws_iam_role", {"assume_role_policy": command.value("assume-role-policy-document")}
    if verb == "update-assume-role-policy":
        yield "aws_iam_role", {"assume_role_policy": command.value("policy-document")}


def _aws_resource_policy(command: Command, verb: str) -> Iterator[Set]:
    policy = command.value("policy-text", "resource-policy", "attribute-value")
    match command.words[0], verb:
        case "ecr", "set-repository-policy":
            yield "aws_ecr_repository_policy", {"policy": policy}
        case "secretsmanager", "put-resource-policy":
            yield "aws_secretsmanager_secret_policy", {"policy": policy}
        case "sns", "set-topic-attributes" if command.value("attribute-name") == "Policy":
            yield "aws_sns_topic_policy", {"policy": policy}


def _aws_ingress(command: Command) -> Iterator[Set]:
    permissions = command.all("ip-permissions")
    for permission in _permissions(permissions):
        yield "aws_security_group_rule", {"type": "ingress", **permission}
    if permissions:
        return
    first, _, last = str(command.all("port")[0] if command.all("port") else "0-65535").partition("-")
    # Without a range or a group, AWS refuses the command.
    if "cidr" in command.options:
        yield (
            "aws_security_group_rule",
            {
                "type": "ingress",
                "protocol": command.value("protocol") or "-1",
                "from_port": known(first, "--port"),
                "to_port": known(last or first, "--port"),
                "cidr_blocks": (command.value("cidr"),),
            },
        )


def _permissions(words: tuple[str, ...]) -> Iterator[Mapping[str, Value]]:
    """The rules of `--ip-permissions`, in JSON or in the short form."""
    text = " ".join(words)
    try:
        data = json.loads(text)
        pieces = [json.dumps(item) for item in (data if isinstance(data, list) else [data])]
    except (ValueError, RecursionError):
        pieces = list(words)
    for piece in pieces:
        plain = piece.replace('"', "").replace(" ", "").replace(":[", "=[").replace("{", "").replace("}", "")
        given = dict(_SHORTHAND.findall(re.sub(r"(\bIpProtocol|\w*Port):", r"\1=", plain)))
        ranges = re.findall(r"Cidr(?:Ip|Ipv6)[=:]([0-9a-fA-F.:]+/\d+)", plain)
        if known(piece, "--ip-permissions") != piece:
            yield {"protocol": "-1", "cidr_blocks": (known(piece, "--ip-permissions"),)}
        elif ranges:
            yield {
                "protocol": given.get("IpProtocol", "-1"),
                "from_port": given.get("FromPort", "0"),
                "to_port": given.get("ToPort", "65535"),
                "cidr_blocks": tuple(ranges),
            }


def _gcloud(command: Command) -> Iterator[Set]:
    words = tuple(word for word in command.words if word not in {"alpha", "beta"})
    if words[-1:] and any(verb in words for verb in ("add-iam-policy-binding", "add-member")):
        types = {
            "storage": "google_storage_bucket_iam_member",
            "projects": "google_project_iam_member",
            "run": "google_cloud_run_service_iam_member",
            "functions": "google_cloudfunctions_function_iam_member",
            "pubsub": "google_pubsub_topic_iam_member",
            "iam": "google_service_account_iam_member",
        }
        if words[0] in types:
            values = {"bucket": words[-1], "member": command.value("member"), "role": command.value("role")}
            yield types[words[0]], values
    elif words[:2] == ("compute", "firewall-rules") and words[2:3] in {("create",), ("update",)}:
        yield from _gcloud_firewall(command, create=words[2] == "create")
    elif words[:2] == ("sql", "instances") and "authorized-networks" in command.options:
        networks = [known(one, "--authorized-networks") for word in command.all("authorized-networks")
                    for one in word.split(",")]  # fmt: skip
        listed = tuple({"value": network} for network in networks)
        yield "google_sql_database_instance", {"settings": {"ip_configuration": {"authorized_networks": listed}}}
    elif words[:1] == ("storage",):
        for word in command.all("predefined-acl", "predefined-default-object-acl"):
            yield from _gcs_acl(word)


def _gcloud_firewall(command: Command, *, create: bool) -> Iterator[Set]:
    sources = tuple(known(one, "--source-ranges") for word in command.all("source-ranges") for one in word.split(","))
    direction = command.value("direction")
    if isinstance(direction, str) and direction.upper() in {"EGRESS", "OUT"}:
        return
    if command.value("action") in {"DENY", "deny"} or (not sources and not create):
        return
    allowed = [_PORTS.match(one) for word in command.all("allow", "rules") for one in word.split(",")]
    rules: tuple[Value, ...] = tuple(
        {"protocol": found[1], "ports": (f"{found[2]}-{found[3] or found[2]}",) if found[2] else ()}
        for found in allowed
        if found
    )
    narrow = command.value("source-tags", "source-service-accounts")
    if rules and (sources or narrow is None):
        yield (
            "google_compute_firewall",
            {"direction": "INGRESS", "source_ranges": sources or ("0.0.0.0/0",), "allow": rules},
        )


def _gsutil(command: Command) -> Iterator[Set]:
    match command.words[:2]:
        case ("iam", "ch"):
            for word in command.words[2:]:
                member = word.partition(":")[0]
                if member.lower() in _EVERYONE:
                    yield "google_storage_bucket_iam_member", {"bucket": command.words[-1], "member": _member(member)}
        case ("acl" | "defacl", "ch"):
            for word in command.all("u", "g"):
                member = word.partition(":")[0]
                if member.lower() in {*_EVERYONE, "all", "allauth"}:
                    yield "google_storage_bucket_access_control", {"entity": _member(member)}
        case ("acl" | "defacl", "set"):
            for word in command.words[2:3]:
                yield from _gcs_acl(word)
        case _:
            for word in command.all("a"):
                yield from _gcs_acl(word)


def _member(word: str) -> str:
    return "allUsers" if word.lower() in {"allusers", "all"} else "allAuthenticatedUsers"


def _gcs_acl(word: str) -> Iterator[Set]:
    if _PUBLIC_ACLS.get(word.lower().replace("-", "")):
        yield "google_storage_bucket_access_control", {"entity": "allUsers"}


def _az(command: Command) -> Iterator[Set]:
    words = command.words
    if words[:2] == ("storage", "container") and "public-access" in command.options:
        yield "azurerm_storage_container", {"container_access_type": command.value("public-access")}
    elif words[:2] == ("storage", "account") and "allow-blob-public-access" in command.options:
        given = command.value("allow-blob-public-access")
        opened: Value = given if isinstance(given, Unknown) else str(given or "true").lower() == "true"
        yield "azurerm_storage_account", {"allow_nested_items_to_be_public": opened}
    elif words[:3] == ("network", "nsg", "rule") and "create" in words:
        yield from _az_rule(command)
    elif words[:2] == ("vm", "open-port"):
        ports = tuple(known(one, "--port") for word in command.all("port") for one in word.split(","))
        yield "azurerm_network_security_rule", _az_opening(("*",), ports)
    elif "firewall-rule" in words and words[0] in {"sql", "postgres", "mysql", "mariadb"}:
        type = {"sql": "mssql", "postgres": "postgresql"}.get(words[0], words[0])
        values = {
            "start_ip_address": command.value("start-ip-address"),
            "end_ip_address": command.value("end-ip-address") or command.value("start-ip-address"),
        }
        yield f"azurerm_{type}_firewall_rule", values


def _az_rule(command: Command) -> Iterator[Set]:
    direction, access = (str(command.value(name) or "").lower() for name in ("direction", "access"))
    if direction != "outbound" and access != "deny":
        sources = command.all("source-address-prefixes", "source-address-prefix") or ("*",)
        ports = command.all("destination-port-ranges", "destination-port-range") or ("80",)
        protocol = command.value("protocol") or "*"
        values = _az_opening(
            tuple(known(source, "--source-address-prefixes") for source in sources),
            tuple(known(port, "--destination-port-ranges") for port in ports),
        )
        yield "azurerm_network_security_rule", {**values, "protocol": protocol}


def _az_opening(sources: tuple[Value, ...], ports: tuple[Value, ...]) -> Mapping[str, Value]:
    return {
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "*",
        "source_address_prefixes": sources,
        "destination_port_ranges": ports,
    }


_READERS: Final[Mapping[str, Callable[[Command], Iterator[Set]]]] = {
    "aws": _aws,
    "gcloud": _gcloud,
    "gsutil": _gsutil,
    "az": _az,
}
