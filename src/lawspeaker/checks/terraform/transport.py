"""Encryption in transit: services that talk in the clear, or with a version of TLS that is broken."""

from collections.abc import Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.module import Module, Resource
from lawspeaker.checks.terraform.switches import NEVER, OFF, ON, Setting, judgement, types_of
from lawspeaker.checks.terraform.values import Unknown, Value, document, leaves
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, undecided, violated

_OLD: Final[tuple[Value, ...]] = (
    "TLS1_0",
    "TLS1_1",
    "TLS_1_0",
    "TLS_1_1",
    "1.0",
    "1.1",
    "TLSv1",
    "TLSv1.0",
    "TLSv1.1",
    "TLSv1_2016",
    "TLSv1.1_2016",
    "SSLv3",
)
_FLOOR: Final = "TLSv1"  # what a distribution with its own certificate accepts when it is told nothing
_CLEAR: Final = "it accepts connections in the clear"
_AGED: Final = "it accepts a version of TLS that is broken"
_SEARCH: Final = ("aws_elasticsearch_domain", "aws_opensearch_domain")
_LISTENERS: Final = ("aws_lb_listener", "aws_alb_listener")
_APPS: Final = (
    *("azurerm_app_service", "azurerm_function_app", "azurerm_linux_web_app", "azurerm_windows_web_app"),
    *("azurerm_linux_function_app", "azurerm_windows_function_app"),
)
_AZURE_SQL: Final = ("azurerm_postgresql_server", "azurerm_mysql_server", "azurerm_mariadb_server")
_AZURE_OTHERS: Final = ("azurerm_redis_cache", "azurerm_eventhub_namespace", "azurerm_servicebus_namespace",
                        "azurerm_mssql_managed_instance")  # fmt: skip
_OLD_GATEWAY: Final = ("AppGwSslPolicy20150501", "AppGwSslPolicy20170401")
# Parameters of databases that make clients use TLS, and what switches them off.
_PARAMETERS: Final = frozenset(
    {"require_ssl", "rds.force_ssl", "require_secure_transport", "tls", "neptune_enforce_ssl"}
)
_PARAMETER_OFF: Final = frozenset({"0", "off", "false", "disabled"})
_GROUPS: Final = tuple(f"aws_{kind}_parameter_group" for kind in (
    "redshift", "db", "rds_cluster", "docdb_cluster", "neptune_cluster"))  # fmt: skip
_CONFIGURATIONS: Final = ("azurerm_postgresql_flexible_server_configuration", "azurerm_postgresql_configuration",
                          "azurerm_mysql_flexible_server_configuration", "azurerm_mysql_configuration")  # fmt: skip
# Policies of NIFCLOUD's load balancers that still speak TLS 1.0 or 1.1, by name and number; none stated is the first.
_OLD_NIFCLOUD: Final = (
    *("", "Standard Ciphers A ver1", "Standard Ciphers B ver1", "Standard Ciphers C ver1", "Ats Ciphers A ver1"),
    *("Ats Ciphers D ver1", "1", "2", "3", "5", "8"),
)


def _old_policy(value: Value) -> bool:
    """A load balancer's policy that still speaks TLS 1.0 or 1.1: the ones named after them, and those of 2016 and
    before."""
    if not isinstance(value, str) or not value.startswith("ELBSecurityPolicy-"):
        return False
    name = value.removeprefix("ELBSecurityPolicy-")
    return name.startswith(("TLS-1-0", "TLS-1-1", "FS-1-1", "TLS13-1-0", "TLS13-1-1", "201")) or name == "FS-2018-06"


_SETTINGS: Final = (
    *(Setting(type, "ssl_policy", _old_policy, _AGED) for type in _LISTENERS),
    *(
        Setting("aws_cloudfront_distribution", "viewer_protocol_policy", ("allow-all",), _CLEAR, (block,))
        for block in ("default_cache_behavior", "ordered_cache_behavior")
    ),
    Setting("aws_api_gateway_domain_name", "security_policy", _OLD, _AGED),
    Setting("aws_apigatewayv2_domain_name", "security_policy", _OLD, _AGED, ("domain_name_configuration",)),
    *(
        Setting(type, attribute, wrong, what, (block,), absent, False)
        for type in _SEARCH
        for attribute, wrong, what, block, absent in (
            ("enforce_https", OFF, _CLEAR, "domain_endpoint_options", False),
            ("tls_security_policy", ("Policy-Min-TLS-1-0-2019-07",), _AGED, "domain_endpoint_options", False),
            ("enabled", OFF, "its nodes talk to each other in the clear", "node_to_node_encryption", False),
        )
    ),
    Setting("aws_elasticache_replication_group", "transit_encryption_enabled", OFF, _CLEAR),
    Setting(
        "aws_msk_cluster", "client_broker", ("PLAINTEXT", "TLS_PLAINTEXT"), _CLEAR,
        ("encryption_info", "encryption_in_transit"),
    ),
    Setting(
        "aws_ecs_task_definition", "transit_encryption", OFF, "a file system is mounted in the clear",
        ("volume", "efs_volume_configuration"), True,
    ),
    Setting("aws_dms_endpoint", "ssl_mode", ("none",), _CLEAR),
    Setting("azurerm_storage_account", "enable_https_traffic_only", OFF, _CLEAR),
    Setting("azurerm_storage_account", "https_traffic_only_enabled", OFF, _CLEAR),
    Setting("azurerm_storage_account", "min_tls_version", _OLD, _AGED),
    *(Setting(type, "ssl_enforcement_enabled", OFF, _CLEAR) for type in _AZURE_SQL),
    *(Setting(type, "ssl_minimal_tls_version_enforced", _OLD, _AGED) for type in _AZURE_SQL),
    Setting("azurerm_mssql_server", "minimum_tls_version", (*_OLD, "Disabled"), _AGED),
    Setting("azurerm_redis_cache", "enable_non_ssl_port", ON, _CLEAR),
    Setting("azurerm_redis_cache", "non_ssl_port_enabled", ON, _CLEAR),
    *(Setting(type, "https_only", OFF, _CLEAR, absent="function" in type) for type in _APPS),
    *(Setting(type, name, _OLD, _AGED, ("site_config",)) for type in _APPS for name in (
        "min_tls_version", "minimum_tls_version")),
    *(Setting(type, "ftps_state", ("AllAllowed",), "it accepts files in the clear", ("site_config",))
      for type in _APPS),
    Setting("google_sql_database_instance", "ssl_mode", ("ALLOW_UNENCRYPTED_AND_ENCRYPTED",), _CLEAR,
            ("settings", "ip_configuration")),
    *(Setting(type, "minimum_tls_version", _OLD, _AGED) for type in _AZURE_OTHERS),
    Setting("azurerm_iothub", "min_tls_version", _OLD, _AGED),
    Setting("azurerm_cosmosdb_account", "minimal_tls_version", ("Tls", "Tls11"), _AGED),
    Setting("azurerm_application_gateway", "policy_name", _OLD_GATEWAY, _AGED, ("ssl_policy",)),
    Setting("azurerm_application_gateway", "min_protocol_version", ("TLSv1_0", "TLSv1_1"), _AGED, ("ssl_policy",)),
    Setting("google_redis_instance", "transit_encryption_mode", ("DISABLED",), _CLEAR),
    Setting("aws_elb", "lb_protocol", ("http", "HTTP"), _CLEAR, ("listener",)),
    Setting("aws_transfer_server", "protocols", lambda value: "FTP" in leaves(value), _CLEAR),
    Setting("google_compute_ssl_policy", "min_tls_version", _OLD, _AGED, absent=True),
)  # fmt: skip


def clear_listener(module: Module) -> Iterator[Verdict]:
    """A load balancer that serves HTTP itself. One that sends every visitor on to HTTPS does not."""
    for resource in module.of(*_LISTENERS):
        yield from each(resource, _listener(resource))
    for resource in module.of("digitalocean_loadbalancer"):
        wrong = (
            violated(resource, _CLEAR, rule.at("entry_protocol"))
            for rule in resource.children("forwarding_rule")
            if rule.get("entry_protocol") == "http" and resource.flag("redirect_http_to_https") is not True
        )
        yield from each(resource, wrong)


def emr(module: Module) -> Iterator[Verdict]:
    """A security configuration of EMR that says, in JSON, that its nodes talk in the clear."""
    for resource in module.of("aws_emr_security_configuration"):
        value, place = document(resource.get("configuration")), resource.at("configuration")
        settings = value.get("EncryptionConfiguration") if isinstance(value, Mapping) else None
        off = isinstance(settings, Mapping) and settings.get("EnableInTransitEncryption") is False
        yield from each(resource, iter([violated(resource, _CLEAR, place)] if off else []))


def certificate(module: Module) -> Iterator[Verdict]:
    """A distribution with its own certificate and no floor, or a low one, for TLS."""
    for resource in module.of("aws_cloudfront_distribution"):
        wrong = (
            violated(resource, _AGED, body.at("minimum_protocol_version"))
            for body in resource.children("viewer_certificate")
            if body.flag("cloudfront_default_certificate") is not True
            and (body.get("minimum_protocol_version") or _FLOOR) in _OLD
            and body.absent is None
        )
        yield from each(resource, wrong)


def cloud_sql(module: Module) -> Iterator[Verdict]:
    """Cloud SQL that is told not to require TLS, in the old way to say it."""
    for resource in module.of("google_sql_database_instance"):
        bodies = [body for settings in resource.children("settings") for body in settings.children("ip_configuration")]
        wrong = (
            violated(resource, _CLEAR, body.at("require_ssl"))
            for body in bodies
            if body.flag("require_ssl") is False and body.get("ssl_mode") is None
        )
        yield from each(resource, wrong)


def parameters(module: Module) -> Iterator[Verdict]:
    """A parameter of a database that lets clients do without TLS."""
    for resource in module.of(*_GROUPS, *_CONFIGURATIONS):
        bodies = resource.children("parameter") if resource.type in _GROUPS else (resource,)
        wrong = (
            violated(resource, _CLEAR, body.at("value"))
            for body in bodies
            if body.get("name") in _PARAMETERS and str(body.get("value")).lower() in _PARAMETER_OFF
        )
        yield from each(resource, wrong)


def nifcloud(module: Module) -> Iterator[Verdict]:
    """A load balancer of NIFCLOUD on port 80, one on port 443 with a policy for old TLS, or one that serves HTTP to the
    network that all customers share with the internet."""
    for resource in module.of("nifcloud_load_balancer", "nifcloud_load_balancer_listener"):
        port = resource.get("load_balancer_port")
        wrong = [violated(resource, _CLEAR, resource.at("load_balancer_port"))] if port == 80 else []
        for name in ("ssl_policy_name", "ssl_policy_id"):
            if port == 443 and resource.get(name) in _OLD_NIFCLOUD:
                wrong.append(violated(resource, _AGED, resource.at(name)))
        yield from each(resource, iter(wrong))
    for resource in module.of("nifcloud_elb"):
        public = any(body.get("network_id") == "net-COMMON_GLOBAL" for body in resource.children("network_interface"))
        clear = public and resource.get("protocol") == "HTTP"
        yield from each(resource, iter([violated(resource, _CLEAR, resource.at("protocol"))] if clear else []))


RULE: Final = Rule(
    "weak-transport",
    (judgement(_SETTINGS), clear_listener, certificate, cloud_sql, emr, parameters, nifcloud),
    types_of(_SETTINGS)
    + r"|digitalocean_loadbalancer\b|aws_emr_security|aws_\w+_parameter_group|azurerm_\w+_configuration|"
    r"nifcloud_(?:elb|load_balancer)",
    NEVER,
    doc=(
        "Services must not accept connections in the clear, or with SSL or a version of TLS below 1.2. "
        "A listener that only sends visitors on to HTTPS is fine."
    ),
    violating="""resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.web.arn
  }
}
""",
    complying="""resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}
""",
)


def _listener(resource: Resource) -> Iterator[Verdict]:
    protocol = resource.get("protocol")
    if isinstance(protocol, Unknown):
        if protocol.is_input:
            yield undecided(resource, "whether it accepts connections in the clear", protocol, resource.at("protocol"))
    elif protocol == "HTTP" and not any(
        redirect.get("protocol") == "HTTPS"
        for action in resource.children("default_action")
        for redirect in action.children("redirect")
    ):
        yield violated(resource, _CLEAR, resource.at("protocol"))
