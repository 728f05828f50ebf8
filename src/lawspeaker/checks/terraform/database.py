"""Public databases: an address or a firewall that lets the whole internet try the password."""

from collections.abc import Iterator
from typing import Final

from lawspeaker.checks.terraform.addresses import is_everyone
from lawspeaker.checks.terraform.module import Module, Resource
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
_AZURE_SERVERS: Final = (
    "azurerm_postgresql_server",
    "azurerm_mysql_server",
    "azurerm_mariadb_server",
    "azurerm_mssql_server",
    "azurerm_cosmosdb_account",
    "azurerm_redis_cache",
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
_SHARED: Final = {
    "aws_ami_launch_permission": ("group",),
    "aws_snapshot_create_volume_permission": ("group", "account_id"),
    "aws_db_snapshot": ("shared_accounts",),
    "aws_db_cluster_snapshot": ("shared_accounts",),
}
_NETWORK_RULES: Final = "_firewall_rule", "_virtual_network_rule"


def publicly_accessible(module: Module) -> Iterator[Verdict]:
    """`publicly_accessible = true` gives the database an address that the internet can reach."""
    for resource in module.of(*_PUBLICLY_ACCESSIBLE):
        yield from each(resource, _public_address(resource))


def search_policy(module: Module) -> Iterator[Verdict]:
    """A search domain outside of a VPC whose policy allows everyone."""
    for resource in module.of(*_SEARCH):
        yield from each(resource, _search(resource, module))


def cloud_sql(module: Module) -> Iterator[Verdict]:
    """Cloud SQL with an authorised network that is the whole internet."""
    for resource in module.of("google_sql_database_instance"):
        yield from each(resource, _networks(resource))


def bigquery(module: Module) -> Iterator[Verdict]:
    """A BigQuery data set that is shared with all authenticated users."""
    for resource in module.of("google_bigquery_dataset"):
        wrong = (
            violated(resource, "everybody with a Google account can read the data set", access.at("special_group"))
            for access in resource.children("access")
            if access.get("special_group") == "allAuthenticatedUsers" or access.get("iam_member") == "allUsers"
        )
        yield from each(resource, wrong)


def azure_firewall(module: Module) -> Iterator[Verdict]:
    """A firewall rule from 0.0.0.0 to the end of the address space."""
    for resource in module.of(*_AZURE_FIREWALLS):
        everything = resource.get("start_ip_address") == "0.0.0.0" and resource.get("end_ip_address") in (
            "255.255.255.255",
            "255.255.255.254",
        )
        wrong = [violated(resource, "the firewall lets the whole internet in", resource.at("end_ip_address"))]
        yield from each(resource, iter(wrong if everything else []))


def azure_endpoint(module: Module) -> Iterator[Verdict]:
    """A public endpoint that is asked for, without any rule beside it that narrows who may come in."""
    for resource in module.of(*_AZURE_SERVERS):
        name = "public_network_access_enabled"
        open_wide = resource.get(name) is True and not _has_rules(resource, module)
        wrong = [violated(resource, "the public endpoint is on and nothing narrows it", resource.at(name))]
        yield from each(resource, iter(wrong if open_wide else []))


def nifcloud(module: Module) -> Iterator[Verdict]:
    """A group of a NIFCLOUD database that lets every address in."""
    for resource in module.of("nifcloud_db_security_group"):
        wrong = (
            violated(resource, "the group lets the whole internet in", rule.at("cidr_ip"))
            for rule in resource.children("rule")
            if is_everyone(rule.get("cidr_ip")) is True
        )
        yield from each(resource, wrong)


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
    (publicly_accessible, search_policy, cloud_sql, bigquery, azure_firewall, azure_endpoint, nifcloud, snapshots),
    r"nifcloud_db_|aws_(?:ami_launch_permission|snapshot_create)|aws_(?:db_|rds_|redshift|neptune|docdb|dms_|mq_|elasticsearch_|opensearch_)|google_sql_|google_bigquery_|"
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


def _public_address(resource: Resource) -> Iterator[Verdict]:
    name = "publicly_accessible"
    value = resource.get(name)
    if isinstance(value, Unknown):
        yield undecided(resource, "whether the internet can reach the database", value, resource.at(name))
    elif value in (True, "true"):
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


def _networks(resource: Resource) -> Iterator[Verdict]:
    for network in nested(resource, ("settings", "ip_configuration", "authorized_networks")):
        for leaf in leaves(network.get("value")):
            open_wide = is_everyone(leaf)
            if isinstance(open_wide, Unknown):
                yield undecided(resource, "which network may reach the database", open_wide, network.at("value"))
            elif open_wide:
                yield violated(resource, "an authorised network is the whole internet", network.at("value"))


def _has_rules(server: Resource, module: Module) -> bool:
    return any(
        server.address in targets_of(value)
        for rule in module.everything()
        if rule.type.endswith(_NETWORK_RULES)
        for value in rule.values.values()
    )
