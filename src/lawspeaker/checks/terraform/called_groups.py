"""The modules `security-group` and `vpc`: rules by name, lists of rules, and ranges that stand beside them."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.module import Resource
from lawspeaker.checks.terraform.values import Unknown, Value

Drawing = Iterator[tuple[str, Mapping[str, Value], Mapping[str, str]]]

# The module's names of rules for ports that matter. The protocol is the end of the name, or TCP.
_PORTS: Final[Mapping[str, int]] = {
    "activemq-5671-tcp": 5671, "cassandra-clients-tcp": 9042, "elasticsearch-java-tcp": 9300,
    "elasticsearch-rest-tcp": 9200, "etcd-client-tcp": 2379, "etcd-peer-tcp": 2380, "kafka-broker-tcp": 9092,
    "kibana-tcp": 5601, "kubernetes-api-tcp": 6443, "ldap-tcp": 389, "memcached-tcp": 11211,
    "mongodb-27017-tcp": 27017, "mongodb-27018-tcp": 27018, "mssql-tcp": 1433, "mssql-udp": 1434, "mysql-tcp": 3306,
    "nfs-tcp": 2049, "oracle-db-tcp": 1521, "postgresql-tcp": 5432, "rabbitmq-5671-tcp": 5671,
    "rabbitmq-5672-tcp": 5672, "rdp-tcp": 3389, "redis-tcp": 6379, "redshift-tcp": 5439, "ssh-tcp": 22,
    "wazuh-indexer-restful-api": 9200, "wazuh-server-syslog-collector-tcp": 514, "winrm-http-tcp": 5985,
    "winrm-https-tcp": 5986, "zookeeper-2181-tcp": 2181,
}  # fmt: skip
_ALL: Final[Mapping[str, str]] = {"all-all": "-1", "all-tcp": "tcp", "all-udp": "udp"}
# What the other names of the module start with; none of them is for a port that matters.
_OTHERS: Final = re.compile(
    r"(?:activemq|alertmanager|all-i|all-ipv6|carbon|cassandra|consul|dax|dns|docker-swarm|grafana|graphite|http|https|"
    r"ipsec|kafka|ldaps|logstash|loki|minio|mongodb|mssql|nomad|ntp|octopus|openvpn|prometheus|promtail|puppet|puppetdb|"
    r"rabbitmq|rdp-udp|saltstack|smtp|smtps|solr|splunk|squid|storm|vault|wazuh|web|zabbix|zipkin|zookeeper)(?:-|$)"
    r"|all-icmp|rdp-udp"
)
_BESIDE: Final[Mapping[str, str]] = {
    "cidr_blocks": "ingress_cidr_blocks",
    "ipv6_cidr_blocks": "ingress_ipv6_cidr_blocks",
}


def network(call: Resource, name: str) -> Drawing:
    """`vpc`: the rules of the default group, and entries of ACLs that the call writes itself."""
    given = call.get("default_security_group_ingress")
    if given is not None:
        rules = tuple({**rule, **_split(rule)} for rule in _items(given)) or given
        yield "aws_default_security_group", {"ingress": rules}, {"ingress": "default_security_group_ingress"}
    for part in ("public", "private", "database", "intra", "elasticache", "redshift", "outpost"):
        at = f"{part}_inbound_acl_rules"
        if call.get(f"{part}_dedicated_network_acl") in (True, "true"):
            for entry in _items(call.get(at)):
                yield "aws_network_acl_rule", entry, dict.fromkeys(entry, at)
    entries = call.get("default_network_acl_ingress")
    if entries is not None:
        yield "aws_default_network_acl", {"ingress": entries}, {"ingress": "default_network_acl_ingress"}


def _group(call: Resource, name: str) -> Drawing:
    """`security-group`: what `ingress_*` says."""
    rules = call.get("ingress_rules")
    if isinstance(rules, Mapping):  # rules of one's own, in the newest form
        for rule in rules.values():
            if isinstance(rule, Mapping):
                yield "aws_vpc_security_group_ingress_rule", rule, dict.fromkeys(rule, "ingress_rules")
    else:
        yield from _named(call, rules, "ingress_rules")
    yield from _named(call, call.get("computed_ingress_rules"), "computed_ingress_rules")
    for form in _BESIDE:
        for at in (f"ingress_with_{form}", f"computed_ingress_with_{form}"):
            given = call.get(at)
            for rule in _items(given):
                yield "aws_security_group_rule", _rule(call, rule, form), dict.fromkeys(_SHOWN, at)
            if isinstance(given, Unknown):
                yield "aws_security_group_rule", dict.fromkeys(("from_port", "protocol", form), given), {}


_SHOWN: Final = ("cidr_blocks", "ipv6_cidr_blocks")


def one_group(part: str) -> Callable[[Resource, str], Drawing]:
    """A part of the module that is made for one service (`modules/ssh`), whose rules come by themselves."""
    own = tuple(name for name in _PORTS if name.startswith(f"{part}-")) or (() if _OTHERS.match(part) else (part,))

    def read(call: Resource, name: str) -> Drawing:
        given = call.get("auto_ingress_rules")
        yield from _named(call, own if given is None else given, "auto_ingress_rules")
        yield from _group(call, name)

    return read


SECURITY_GROUPS: Final[Mapping[str, Callable[[Resource, str], Drawing]]] = {"security-group": _group}


def _named(call: Resource, names: Value, at: str) -> Drawing:
    """Rules that are given by their names, for the ranges beside them."""
    ranges = {form: value for form, beside in _BESIDE.items() if (value := call.get(beside)) is not None}
    for name in names if isinstance(names, tuple) else () if names is None else (names,):
        ports = _ports(name)
        if ports:
            yield "aws_security_group_rule", {**ports, **ranges}, _BESIDE


def _rule(call: Resource, rule: Mapping[str, Value], form: str) -> Mapping[str, Value]:
    ports = _ports(rule["rule"]) if "rule" in rule else {}
    ranges = _split(rule)
    if form not in ranges and (beside := call.get(_BESIDE[form])) is not None:
        ranges = {form: beside}
    return {"protocol": "icmp" if "rule" in rule else "-1", **ports, **rule, **ranges}


def _ports(name: Value) -> Mapping[str, Value]:
    """What the rule `name` opens; empty where that does not matter, unknown where nobody knows the name."""
    if isinstance(name, str) and name in _PORTS:
        port = _PORTS[name]
        return {"from_port": port, "to_port": port, "protocol": "udp" if name.endswith("-udp") else "tcp"}
    if isinstance(name, str) and name in _ALL:
        return {"from_port": 0, "to_port": 65535, "protocol": _ALL[name]}
    if isinstance(name, str) and _OTHERS.match(name):
        return {}
    unknown = name if isinstance(name, Unknown) else Unknown("a rule of the module")
    return dict.fromkeys(("from_port", "to_port", "protocol"), unknown)


def _split(rule: Mapping[str, Value]) -> dict[str, Value]:
    """The ranges of `rule`, which the module takes as one text with commas."""
    return {
        form: tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value
        for form in _BESIDE
        if (value := rule.get(form)) is not None
    }


def _items(value: Value) -> tuple[Mapping[str, Value], ...]:
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, tuple) else ()
