"""Public databases: an address or a firewall that lets the whole internet try the password."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from lawspeaker.checks.terraform.addresses import is_everyone
from lawspeaker.checks.terraform.module import Body, Module, Resource
from lawspeaker.checks.terraform.policy import statements
from lawspeaker.checks.terraform.values import Unknown, leaves, targets_of
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, nested, undecided, violated

_PUBLICLY_ACCESSIBLE: Final = (
    "aws_db_instance",
    "aws_rds_cluster_instance",
    "aws_rds_cluster",
    "aws_redshift_cluster",
    "aws_redshiftserverless_workgroup",
    "aws_neptune_cluster_instance",
    "aws_docdb_cluster_instance",
    "aws_dms_replication_instance",
    "aws_mq_broker",
    "nifcloud_db_instance",
)
_SEARCH: Final = ("aws_elasticsearch_domain", "aws_opensearch_domain")
_SEARCH_POLICIES: Final = tuple(f"{type}_policy" for type in _SEARCH)
_AZURE_SERVERS: Final = (
    "azurerm_postgresql_server",
    "azurerm_mysql_server",
    "azurerm_mariadb_server",
    "azurerm_mssql_server",
    "azurerm_cosmosdb_account",
    "azurerm_redis_cache",
    "azurerm_postgresql_flexible_server",
    "azurerm_mysql_flexible_server",
)
_AZURE_FIREWALLS: Final = (
    "azurerm_postgresql_firewall_rule",
    "azurerm_postgresql_flexible_server_firewall_rule",
    "azurerm_mysql_firewall_rule",
    "azurerm_mysql_flexible_server_firewall_rule",
    "azurerm_mariadb_firewall_rule",
    "azurerm_mssql_firewall_rule",
    "azurerm_sql_firewall_rule",
    "azurerm_redis_firewall_rule",
)
# Addresses: a /7, as for ranges.
_MOST: Final = (1 << 25) - 1
# Who may connect: where a resource says it, and by which attribute.
_NETWORKS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("google_sql_database_instance", ("settings", "ip_configuration", "authorized_networks"), "value"),
    ("google_alloydb_instance", ("network_config", "authorized_external_networks"), "cidr_range"),
    ("aws_db_security_group", ("ingress",), "cidr"),
    ("aws_redshift_security_group", ("ingress",), "cidr"),
    ("digitalocean_database_firewall", ("rule",), "value"),
    ("mongodbatlas_project_ip_access_list", (), "cidr_block"),
    ("mongodbatlas_project_ip_whitelist", (), "cidr_block"),
    ("alicloud_db_instance", (), "security_ips"),
    ("nifcloud_db_security_group", ("rule",), "cidr_ip"),
)
# What narrows who may come in through a public endpoint of Azure.
_NARROW: Final = ("ip_range_filter", "is_virtual_network_filter_enabled", "delegated_subnet_id")
_SHARED: Final = {
    "aws_ami_launch_permission": ("group",),
    "aws_snapshot_create_volume_permission": ("group", "account_id"),
    "aws_db_snapshot": ("shared_accounts",),
    "aws_db_cluster_snapshot": ("shared_accounts",),
}
_BIGQUERY_GRANTS: Final = tuple(
    f"google_bigquery_{kind}_iam_{form}" for kind in ("dataset", "table") for form in ("member", "binding")
)
_NETWORK_RULES: Final = "_firewall_rule", "_virtual_network_rule"


def publicly_accessible(module: Module) -> Iterator[Verdict]:
    """`publicly_accessible = true` gives the database an address that the internet can reach."""
    for resource in module.of(*_PUBLICLY_ACCESSIBLE):
        yield from each(resource, _public_address(resource))


def search_policy(module: Module) -> Iterator[Verdict]:
    """A search domain outside of a VPC whose policy allows everyone."""
    for resource in module.of(*_SEARCH):
        yield from each(resource, _search(resource, module))
    for resource in module.of(*_SEARCH_POLICIES):
        domains = [domain for target in targets_of(resource.get("domain_name")) for domain in module.all_at(target)]
        inside = bool(domains) and all(domain.children("vpc_options") for domain in domains)
        yield from each(resource, iter(()) if inside else _search(resource, module))


def networks(module: Module) -> Iterator[Verdict]:
    """A database with a network among those that may connect that is the whole internet."""
    for type, path, name in _NETWORKS:
        for resource in module.of(type):
            yield from each(resource, _networks(resource, path, name))


def bigquery(module: Module) -> Iterator[Verdict]:
    """A BigQuery data set that is shared with all authenticated users, or with everybody."""
    for resource in module.of("google_bigquery_dataset", "google_bigquery_dataset_access"):
        bodies = resource.children("access") if resource.type == "google_bigquery_dataset" else (resource,)
        given = [(body, name) for body in bodies for name in ("special_group", "iam_member")]
        yield from each(resource, (verdict for body, name in given for verdict in _shared(resource, body, name)))
    for resource in module.of(*_BIGQUERY_GRANTS):
        given = [(resource, name) for name in ("member", "members")]
        yield from each(resource, (verdict for body, name in given for verdict in _shared(resource, body, name)))


def azure_firewall(module: Module) -> Iterator[Verdict]:
    """A firewall rule for a good part of the address space."""
    for resource in module.of(*_AZURE_FIREWALLS):
        yield from each(resource, _range(resource))


def azure_endpoint(module: Module) -> Iterator[Verdict]:
    """A public endpoint that is asked for, without any rule beside it that narrows who may come in."""
    for resource in module.of(*_AZURE_SERVERS):
        name = "public_network_access_enabled"
        value = resource.flag(name)
        if isinstance(value, Unknown) and not _has_rules(resource, module):
            yield undecided(resource, "whether its public endpoint is on", value, resource.at(name))
            continue
        open_wide = value is True and not _has_rules(resource, module)
        wrong = [violated(resource, "the public endpoint is on and nothing narrows it", resource.at(name))]
        yield from each(resource, iter(wrong if open_wide else []))


def snapshots(module: Module) -> Iterator[Verdict]:
    """A snapshot or machine image that is shared with everybody."""
    for type, names in _SHARED.items():
        for resource in module.of(type):
            wrong = (
                violated(resource, "everybody may copy it", resource.at(name))
                for name in names
                if "all" in [leaf for leaf in leaves(resource.get(name)) if isinstance(leaf, str)]
            )
            yield from each(resource, wrong)


RULE: Final = Rule(
    "public-database",
    (publicly_accessible, search_policy, networks, bigquery, azure_firewall, azure_endpoint, snapshots),
    r"nifcloud_db_|alicloud_db_instance|mongodbatlas_project_ip|digitalocean_database_firewall|google_alloydb_|aws_(?:ami_launch_permission|snapshot_create)|aws_(?:db_|rds_|redshift|neptune|docdb|dms_|mq_|elasticsearch_|opensearch_)|google_sql_|google_bigquery_|"
    r"azurerm_(?:postgresql|mysql|mariadb|mssql|sql|cosmosdb|redis)_",
    r"rds|aurora|database|postgres|mysql|sql|redshift|\bdb\b|_db\b|\bdb_",
    doc=(
        "Databases, brokers and search domains must not have an address or a firewall that lets the whole "
        "internet try the password."
    ),
    violating="""resource "aws_db_instance" "d" {
  engine              = "postgres"
  publicly_accessible = true
}
""",
    complying="""resource "aws_db_instance" "d" {
  engine              = "postgres"
  publicly_accessible = false
}
""",
)


def _shared(resource: Resource, body: Body, name: str) -> Iterator[Verdict]:
    for leaf in leaves(body.get(name)):
        if isinstance(leaf, Unknown) and leaf.is_input and ":" not in leaf.known:
            yield undecided(resource, "who can read the data set", leaf, body.at(name))
        elif leaf in ("allUsers", "allAuthenticatedUsers"):
            yield violated(resource, "everybody with a Google account can read the data set", body.at(name))


def _range(resource: Resource) -> Iterator[Verdict]:
    """From `start` to `end`, both included. 0.0.0.0 alone stands for Azure's own services."""
    prefix = "" if resource.type == "azurerm_redis_firewall_rule" else "_address"
    start, end = resource.get(f"start_ip{prefix}"), resource.get(f"end_ip{prefix}")
    unknown = next((value for value in (start, end) if isinstance(value, Unknown) and value.is_input), None)
    if unknown is not None and not (isinstance(start, Unknown) and isinstance(end, Unknown) and start == end):
        yield undecided(resource, "which addresses the firewall lets in", unknown, resource.at(f"end_ip{prefix}"))
    try:
        size = int(ipaddress.IPv4Address(str(end))) - int(ipaddress.IPv4Address(str(start)))
    except ValueError:
        return
    if size >= _MOST:
        yield violated(resource, "the firewall lets the whole internet in", resource.at(f"end_ip{prefix}"))


def _public_address(resource: Resource) -> Iterator[Verdict]:
    name = "publicly_accessible"
    value = resource.flag(name)
    if isinstance(value, Unknown):
        yield undecided(resource, "whether the internet can reach the database", value, resource.at(name))
    elif value is True:
        yield violated(resource, "the database has an address that the internet can reach", resource.at(name))


def _search(resource: Resource, module: Module) -> Iterator[Verdict]:
    if resource.children("vpc_options") or resource.get("access_policies") is None:
        return
    place = resource.at("access_policies")
    for statement in statements(resource.get("access_policies"), place, module):
        public = statement if isinstance(statement, Unknown) else statement.for_everyone
        if isinstance(public, Unknown):
            yield undecided(resource, "whether the policy allows everyone", public, place)
        elif public:
            yield violated(resource, "the policy gives everyone on the internet access to the domain", place)


def _networks(resource: Resource, path: tuple[str, ...], name: str) -> Iterator[Verdict]:
    for network in nested(resource, path):
        for leaf in leaves(network.get(name)):
            open_wide = is_everyone(leaf)
            if isinstance(open_wide, Unknown):
                yield undecided(resource, "which network may reach the database", open_wide, network.at(name))
            elif open_wide:
                yield violated(resource, "an authorised network is the whole internet", network.at(name))


def _has_rules(server: Resource, module: Module) -> bool:
    if any(server.get(name) for name in _NARROW):
        return True
    return any(
        server.address in targets_of(value)
        for rule in module.everything()
        if rule.type.endswith(_NETWORK_RULES)
        for value in rule.values.values()
    )
