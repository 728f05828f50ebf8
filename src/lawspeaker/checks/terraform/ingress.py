"""Open ingress: administration and database ports that the whole internet may connect to."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from lawspeaker.checks.terraform.addresses import are_nearly_everyone, is_everyone, port_range
from lawspeaker.checks.terraform.module import Body, Module, Place, Resource
from lawspeaker.checks.terraform.values import Unknown, Value, leaves, targets_of
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, undecided, violated

# Services that are for administrators and applications, never for the public.
PORTS: Final[Mapping[int, str]] = {
    21: "FTP", 22: "SSH", 23: "Telnet", 111: "RPC", 135: "RPC", 137: "NetBIOS", 139: "NetBIOS", 389: "LDAP",
    445: "SMB", 512: "rexec", 513: "rlogin", 514: "rsh", 873: "rsync", 1433: "SQL Server", 1434: "SQL Server",
    1521: "Oracle", 2049: "NFS", 2181: "ZooKeeper", 2375: "Docker", 2376: "Docker", 2379: "etcd", 2380: "etcd",
    3306: "MySQL", 3389: "RDP", 4333: "mSQL", 5432: "PostgreSQL", 5439: "Redshift", 5500: "VNC", 5601: "Kibana",
    5671: "AMQP", 5672: "AMQP", 5900: "VNC", 5984: "CouchDB", 5985: "WinRM", 5986: "WinRM", 6379: "Redis",
    6443: "Kubernetes", 7000: "Cassandra", 7001: "Cassandra", 8020: "HDFS", 9042: "Cassandra", 9092: "Kafka",
    9200: "Elasticsearch", 9300: "Elasticsearch", 10250: "Kubernetes", 11211: "memcached", 27017: "MongoDB",
    27018: "MongoDB", 50070: "HDFS",
}  # fmt: skip
# Without a connection there is less to attack: what listens there by design, and what amplifies.
UDP_PORTS: Final[Mapping[int, str]] = {
    69: "TFTP", 111: "RPC", 137: "NetBIOS", 161: "SNMP", 389: "LDAP", 1434: "SQL Server", 2049: "NFS",
    11211: "memcached",
}  # fmt: skip
_GROUPS: Final = ("aws_security_group", "aws_default_security_group")
_GOOGLE_POLICIES: Final = tuple(
    f"google_compute_{scope}firewall_policy_rule" for scope in ("", "network_", "region_network_")
)
_LIST: Final = "aws_ec2_managed_prefix_list"
_RANGES: Final = ("cidr_blocks", "ipv6_cidr_blocks")
_RANGE: Final = ("cidr_ipv4", "cidr_ipv6")
_ALL_PROTOCOLS: Final = frozenset({"-1", "all", "*", "any"})
_PORTS_OF: Final[Mapping[str, Mapping[int, str]]] = {"tcp": PORTS, "6": PORTS, "udp": UDP_PORTS, "17": UDP_PORTS}


class Opening(msgspec.Struct, frozen=True):
    """Who may connect to which ports, as one rule says it."""

    sources: tuple[Value, ...]
    protocol: Value
    ports: tuple[tuple[int, int] | Unknown, ...]
    place: Place


def security_group(module: Module) -> Iterator[Verdict]:
    """AWS: the inline `ingress` of a security group."""
    for resource in module.of(*_GROUPS):
        openings = [_aws(rule, _RANGES, module) for rule in resource.children("ingress")]
        yield from each(resource, _judge(resource, openings))


def security_group_rule(module: Module) -> Iterator[Verdict]:
    """AWS: an ingress rule of its own, in the old form and the new."""
    for resource in module.of("aws_security_group_rule"):
        if resource.get("type") != "egress":
            yield from each(resource, _judge(resource, [_aws(resource, _RANGES, module)]))
    for resource in module.of("aws_vpc_security_group_ingress_rule"):
        yield from each(resource, _judge(resource, [_aws(resource, _RANGE, module)]))


def split_rules(module: Module) -> Iterator[Verdict]:
    """AWS: rules of one group that open a port to nearly every address together, though none of them does alone."""
    groups: dict[str, list[tuple[Resource, Opening]]] = {}
    times = Counter(resource.address for resource in module.of(*_GROUPS))
    for number, resource in enumerate(module.of(*_GROUPS)):
        key = repr(tuple(resource.address.split("."))) if times[resource.address] == 1 else str(number)
        for rule in resource.children("ingress"):
            groups.setdefault(key, []).append((resource, _aws(rule, _RANGES, module)))
    for type, ranges in (("aws_security_group_rule", _RANGES), ("aws_vpc_security_group_ingress_rule", _RANGE)):
        for resource in module.of(type):
            group = resource.get("security_group_id")
            known = group.instance if isinstance(group, Unknown) else group
            if isinstance(known, str) and known and resource.get("type") != "egress":
                groups.setdefault(known, []).append((resource, _aws(resource, ranges, module)))
    for rules in groups.values():
        narrow = [rule for rule in rules if _widest(rule[1].sources) is False]
        if len(narrow) > 1 and _nearly_everyone(narrow):
            yield from _together(narrow)


def google_firewall(module: Module) -> Iterator[Verdict]:
    """Google Cloud: an ingress rule; one that names no source lets every address in."""
    for resource in module.of("google_compute_firewall"):
        if resource.get("direction") in (None, "INGRESS") and resource.flag("disabled") is not True:
            yield from each(resource, _judge(resource, _google(resource)))


def azure_security_rule(module: Module) -> Iterator[Verdict]:
    """Azure: an inbound rule that allows, on its own or inside its group."""
    for resource in module.of("azurerm_network_security_rule"):
        yield from each(resource, _judge(resource, _azure(resource)))
    for resource in module.of("azurerm_network_security_group"):
        openings = [opening for rule in resource.children("security_rule") for opening in _azure(rule)]
        yield from each(resource, _judge(resource, openings))


def other_firewalls(module: Module) -> Iterator[Verdict]:
    """DigitalOcean and OpenStack."""
    for resource in module.of("digitalocean_firewall"):
        openings = [
            Opening((rule.get("source_addresses"),), rule.get("protocol"), _ports(rule.get("port_range")), rule.place)
            for rule in resource.children("inbound_rule")
        ]
        yield from each(resource, _judge(resource, openings))
    for resource in module.of("openstack_networking_secgroup_rule_v2"):
        if resource.get("direction") != "egress":
            ports = _range(resource.get("port_range_min"), resource.get("port_range_max"))
            source, protocol = resource.get("remote_ip_prefix"), resource.get("protocol")
            # OpenStack takes what is left out as any: any protocol, and any address where there is no group either.
            if source is None and resource.get("remote_group_id") is None:
                source = "0.0.0.0/0"
            protocol = "any" if protocol in (None, "") else protocol
            yield from each(resource, _judge(resource, [Opening((source,), protocol, (ports,), resource.place)]))


def network_acl(module: Module) -> Iterator[Verdict]:
    """AWS: an allowing entry of a network ACL, on its own or inside it."""
    for resource in module.of("aws_network_acl_rule"):
        if resource.flag("egress") is not True and resource.get("rule_action") == "allow":
            yield from each(resource, _judge(resource, [_aws(resource, ("cidr_block", "ipv6_cidr_block"), module)]))
    for resource in module.of("aws_network_acl", "aws_default_network_acl"):
        openings = [
            _aws(rule, ("cidr_block", "ipv6_cidr_block"), module)
            for rule in resource.children("ingress")
            if rule.get("action") == "allow"
        ]
        yield from each(resource, _judge(resource, openings))


def nifcloud(module: Module) -> Iterator[Verdict]:
    """NIFCLOUD: a rule of a group, where one without ports is for all of them."""
    for resource in module.of("nifcloud_security_group_rule"):
        if resource.get("type") == "IN":
            yield from each(resource, _judge(resource, [_plain(resource, resource.get("protocol"))]))
    for resource in module.of("nifcloud_nas_security_group"):
        openings = [_plain(rule, "ANY") for rule in resource.children("rule")]
        yield from each(resource, _judge(resource, openings))


def google_policy(module: Module) -> Iterator[Verdict]:
    """Google Cloud: an ingress rule of a firewall policy."""
    for resource in module.of(*_GOOGLE_POLICIES):
        if resource.get("direction") in (None, "INGRESS") and resource.get("action") != "deny":
            openings = [
                Opening(
                    (match.get("src_ip_ranges"),), config.get("ip_protocol"), _ports(config.get("ports")), match.place
                )
                for match in resource.children("match")
                for config in match.children("layer4_configs")
            ]
            off = resource.flag("disabled") is True
            yield from each(resource, _judge(resource, [] if off else openings))


def lightsail(module: Module) -> Iterator[Verdict]:
    """AWS Lightsail: ports of an instance; without a range they are for every address."""
    for resource in module.of("aws_lightsail_instance_public_ports"):
        openings = []
        for body in resource.children("port_info"):
            given = tuple(body.get(name) for name in ("cidrs", "ipv6_cidrs", "cidr_list_aliases"))
            sources = given if any(value is not None for value in given) else ("0.0.0.0/0",)
            ports = _range(body.get("from_port"), body.get("to_port"))
            openings.append(Opening(sources, body.get("protocol"), (ports,), body.place))
        yield from each(resource, _judge(resource, openings))


def alicloud(module: Module) -> Iterator[Verdict]:
    """Alibaba Cloud: an accepting rule of a security group, whose ports are `22/22`."""
    for resource in module.of("alicloud_security_group_rule"):
        if resource.get("type") == "ingress" and resource.get("policy") in (None, "accept"):
            ports = resource.get("port_range")
            given = ports.replace("-1/-1", "*").replace("/", "-") if isinstance(ports, str) else ports
            sources = (resource.get("cidr_ip"), resource.get("ipv6_cidr_ip"))
            opening = Opening(sources, resource.get("ip_protocol"), _ports(given), resource.at("cidr_ip"))
            yield from each(resource, _judge(resource, [opening]))


def openstack_firewall(module: Module) -> Iterator[Verdict]:
    """OpenStack: an allowing rule of a firewall; one without a source lets every address in."""
    for resource in module.of("openstack_fw_rule_v1", "openstack_fw_rule_v2"):
        if resource.get("action") == "allow" and resource.get("enabled") not in (False, "false"):
            source = resource.get("source_ip_address")
            opening = Opening(
                ("0.0.0.0/0" if source is None else source,),
                resource.get("protocol"),
                _ports(resource.get("destination_port")),
                resource.place,
            )
            yield from each(resource, _judge(resource, [opening]))


RULE: Final = Rule(
    "open-admin-ingress",
    (
        security_group,
        security_group_rule,
        split_rules,
        google_firewall,
        azure_security_rule,
        other_firewalls,
        network_acl,
        nifcloud,
        google_policy,
        lightsail,
        alicloud,
        openstack_firewall,
    ),
    r"aws_(?:default_|vpc_)?security_group|aws_(?:default_)?network_acl|nifcloud_|openstack_fw_rule|google_compute_\w*firewall|aws_lightsail_instance_public|alicloud_security_group_rule|azurerm_network_security_|digitalocean_firewall|"
    r"openstack_networking_secgroup",
    r"security.?group|\bsg\b|_sg\b|firewall|ingress",
    doc=(
        "Administration, database and cluster ports must not be open to every address, over IPv4 or IPv6. "
        "Web ports may be. Ranges that hold a good part of the internet together count like one that does, in one "
        "rule or in several rules of one group."
    ),
    violating="""resource "aws_security_group" "s" {
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
""",
    complying="""resource "aws_security_group" "s" {
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
}
""",
)


def _judge(resource: Resource, openings: list[Opening]) -> Iterator[Verdict]:
    for opening in openings:
        source = _widest(opening.sources)
        if source is False:
            continue
        what = _exposed(opening)
        if isinstance(source, Unknown) and what:
            target = what if isinstance(what, str) else "its ports"
            yield undecided(resource, f"who may reach {target}", source, opening.place)
        elif isinstance(what, Unknown):
            yield undecided(resource, "which ports are open to every address", what, opening.place)
        elif what:
            yield violated(resource, f"{what} can be reached from every address on the internet", opening.place)


def _widest(sources: tuple[Value, ...]) -> bool | Unknown:
    """Whether one of `sources` is everyone; unknown if one may be."""
    judged = [is_everyone(leaf) for source in sources for leaf in leaves(source)]
    if any(one is True for one in judged):
        return True
    if len(judged) > 1 and are_nearly_everyone(leaf for source in sources for leaf in leaves(source)):
        return True
    return next((one for one in judged if isinstance(one, Unknown)), False)


def _nearly_everyone(rules: list[tuple[Resource, Opening]]) -> bool:
    return are_nearly_everyone(leaf for _, opening in rules for source in opening.sources for leaf in leaves(source))


def _together(rules: list[tuple[Resource, Opening]]) -> Iterator[Verdict]:
    """The first port that `rules` open to nearly everybody."""
    tried: set[tuple[int, ...]] = set()
    for protocol, known in (("tcp", PORTS), ("udp", UDP_PORTS)):
        for port, name in known.items():
            those = tuple(index for index, (_, opening) in enumerate(rules) if _covers(opening, protocol, port))
            if len(those) > 1 and those not in tried and _nearly_everyone([rules[index] for index in those]):
                resource, opening = rules[those[-1]]
                what = f"port {port} ({name}) can be reached from most addresses by {len(those)} rules together"
                yield violated(resource, what, opening.place)
                return
            tried.add(those)


def _covers(opening: Opening, protocol: str, port: int) -> bool:
    name = "tcp" if opening.protocol is None else str(opening.protocol).lower()
    if name in _ALL_PROTOCOLS:
        return True
    return _PORTS_OF.get(name) is _PORTS_OF[protocol] and any(
        not isinstance(ports, Unknown) and ports[0] <= port <= ports[1] for ports in opening.ports
    )


def _exposed(opening: Opening) -> str | Unknown:
    """What the ports of `opening` expose, in words; empty for ports that may be public."""
    protocol = opening.protocol
    if isinstance(protocol, Unknown):
        return protocol
    # AWS, Google and Azure refuse a rule without its protocol; what it says of ports still counts.
    name = "tcp" if protocol is None else str(protocol).lower()
    if name in _ALL_PROTOCOLS:
        return "every port"
    known = _PORTS_OF.get(name, {})
    unknown: Unknown | None = None
    for ports in opening.ports:
        if isinstance(ports, Unknown):
            unknown = ports
            continue
        exposed = [port for port in known if ports[0] <= port <= ports[1]]
        if exposed and len(exposed) == len(known):
            return "every port"
        if exposed:
            more = f" and {len(exposed) - 1} more" if len(exposed) > 1 else ""
            return f"port {exposed[0]} ({known[exposed[0]]}){more}"
    return unknown or ""


def _aws(rule: Body, sources: tuple[str, str], module: Module) -> Opening:
    protocol = rule.get("protocol") if "protocol" in rule.values else rule.get("ip_protocol")
    ports = _range(rule.get("from_port"), rule.get("to_port"))
    open_at = next((name for name in sources if rule.get(name)), sources[0])
    given = (*(rule.get(name) for name in sources), _listed(rule, module))
    return Opening(given, protocol, (ports,), rule.at(open_at))


def _listed(rule: Body, module: Module) -> Value:
    """The ranges of the prefix lists that `rule` names, where the program makes them. Others are somebody's."""
    named = [leaf for name in ("prefix_list_ids", "prefix_list_id") for leaf in leaves(rule.get(name))]
    lists = {target for leaf in named for target in targets_of(leaf) if target.startswith(f"{_LIST}.")}
    entries = [entry for address in lists if (found := module.at(address)) for entry in found.children("entry")]
    if lists:
        alone = module.of("aws_ec2_managed_prefix_list_entry")
        entries += [entry for entry in alone if not lists.isdisjoint(targets_of(entry.get("prefix_list_id")))]
    return tuple(entry.get("cidr") for entry in entries)


def _plain(rule: Body, protocol: Value) -> Opening:
    ports = _range(rule.get("from_port"), rule.get("to_port"))
    return Opening((rule.get("cidr_ip"),), "any" if protocol is None else protocol, (ports,), rule.at("cidr_ip"))


def _range(first: Value, last: Value) -> tuple[int, int] | Unknown:
    """Both ends of a range; without them it is all ports, and -1 is another word for that."""
    start, end = port_range(first), port_range(last)
    if isinstance(start, Unknown):
        return start
    if isinstance(end, Unknown):
        return end
    if start is None and end is None:
        return 0, 65535
    low = start[0] if start else 0
    return low, end[1] if end else low


def _google(resource: Resource) -> list[Opening]:
    ranges = resource.get("source_ranges")
    if ranges is None and not resource.get("source_tags") and not resource.get("source_service_accounts"):
        ranges = ("0.0.0.0/0",)
    return [
        Opening((ranges,), allow.get("protocol"), _ports(allow.get("ports")), resource.at("source_ranges"))
        for allow in resource.children("allow")
    ]


def _azure(rule: Body) -> list[Opening]:
    if _word(rule.get("direction")) == "outbound" or _word(rule.get("access")) == "deny":
        return []
    sources = (rule.get("source_address_prefix"), rule.get("source_address_prefixes"))
    single, several = rule.get("destination_port_range"), rule.get("destination_port_ranges")
    ports = _ports(tuple(value for value in (single, several) if value is not None) or None)
    protocol = rule.get("protocol")
    # `*` is any protocol there, but the ports still count.
    return [Opening(sources, "tcp" if protocol == "*" else protocol, ports, rule.at("source_address_prefix"))]


def _ports(value: Value) -> tuple[tuple[int, int] | Unknown, ...]:
    """The ranges in a list of ports; all of them where there is no list."""
    if value is None or value == ():
        return ((0, 65535),)
    ranges = (port_range(leaf) for leaf in leaves(value))
    return tuple(one for one in ranges if one is not None)


def _word(value: Value) -> str:
    return value.lower() if isinstance(value, str) else ""
