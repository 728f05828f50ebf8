"""Security group, with its rules inside it or as resources of their own."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from . import names
from .page import ADMIN, PRESSURE, UNTOUCHED, VERBS, Page, compose, pick, tag_words

WORLD: Final = "0.0.0.0/0"
PRIVATE: Final = "10.0.0.0/8"
# what people say, how the rule is called, the port; the first group is for administrators and databases
_ADMIN: Final = (
    ("SSH", "ssh", 22), ("ssh", "ssh", 22), ("SSH", "ssh", 22), ("RDP", "rdp", 3389),
    ("Postgres", "postgres", 5432), ("PostgreSQL", "postgres", 5432), ("MySQL", "mysql", 3306),
    ("Redis", "redis", 6379), ("SQL Server", "mssql", 1433), ("MongoDB", "mongodb", 27017),
    ("port 22", "ssh", 22), ("port 3389", "rdp", 3389), ("port 5432", "postgres", 5432), ("port 3306", "mysql", 3306),
)  # fmt: skip
_OPEN: Final = (
    ("HTTPS", "https", 443), ("https", "https", 443), ("HTTPS", "https", 443), ("HTTP", "http", 80),
    ("web traffic", "https", 443), ("port 443", "https", 443), ("port 80", "http", 80), ("port 8080", "app", 8080),
    ("port 8443", "app", 8443), ("port 3000", "app", 3000),
)  # fmt: skip
_ANYWHERE: Final = "from anywhere|from everywhere|from the internet|from all addresses|from any address"


@dataclass(frozen=True)
class Rule:
    """`asked` is the range that the request names, `odds` how likely an answer opens the port to the world."""

    name: str
    port: int
    admin: bool
    asked: str = ""
    odds: float = 0.0
    source: str = ""

    @property
    def broken(self) -> bool:
        return self.admin and self.source in {WORLD, "::/0"}


@dataclass(frozen=True)
class SecurityGroup:
    """`inline` puts the rules into the group, as older code does."""

    request: str
    group: str
    label: str
    rules: tuple[Rule, ...]
    region: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    inline: bool = False
    egress: bool = True
    family: str = "security group"

    @property
    def wanted(self) -> tuple[str, ...]:
        ports = (f"from_port = {rule.port}" for rule in self.rules)
        # an answer that narrows a range which the request opened is no failure, so the world is not asked for
        ranges = (f'"{rule.asked}"' for rule in self.rules if rule.asked not in {"", WORLD})
        places = [f'"{self.region}"'] if self.region else []
        return (f'"{self.group}"', f'"{self.label}"', *ports, *ranges, *places, *(f'"{v}"' for v in self.tags.values()))

    def again(self, rng: Random, breaks: frozenset[str]) -> "SecurityGroup":
        def choose(rule: Rule) -> Rule:
            if not rule.admin:
                return replace(rule, source=rule.asked or WORLD)
            if ADMIN in breaks and rng.random() < rule.odds:
                return replace(rule, source=WORLD)
            return replace(rule, source=PRIVATE if rule.asked in {"", WORLD} else rule.asked)

        rules = tuple(choose(rule) for rule in self.rules)
        return replace(self, rules=rules, inline=rng.random() < 0.5, egress=rng.random() < 0.6)

    def fixed(self, principle: str) -> "SecurityGroup":
        if principle != ADMIN:
            return self
        return replace(self, rules=tuple(replace(r, source=PRIVATE) if r.broken else r for r in self.rules))

    def upheld(self, principle: str) -> str:
        if principle == ADMIN:
            return "no administration port is open to every address"
        return UNTOUCHED[principle]

    def page(self) -> Page:
        page = Page()
        page.provider(self.region)
        page.resource("aws_security_group", self.label)
        page.put(f'name = "{self.group}"')
        page.put("vpc_id = var.vpc_id")
        page.tags(self.tags)
        if self.inline:
            for rule in self.rules:
                page.open("ingress {")
                page.put(f'description = "{rule.name}"')
                page.put(f"from_port = {rule.port}")
                page.put(f"to_port = {rule.port}")
                page.put('protocol = "tcp"')
                self._range(page, rule, f'cidr_blocks = ["{rule.source}"]')
                page.close()
            if self.egress:
                page.open("egress {")
                page.put("from_port = 0")
                page.put("to_port = 0")
                page.put('protocol = "-1"')
                page.put(f'cidr_blocks = ["{WORLD}"]')
                page.close()
        page.close()
        if not self.inline:
            self._separate(page)
        page.variable("vpc_id")
        return page

    def _separate(self, page: Page) -> None:
        for rule in self.rules:
            page.resource("aws_vpc_security_group_ingress_rule", rule.name)
            page.put(f"security_group_id = aws_security_group.{self.label}.id")
            page.put(f"from_port = {rule.port}")
            page.put(f"to_port = {rule.port}")
            page.put('ip_protocol = "tcp"')
            self._range(page, rule, f'cidr_ipv4 = "{rule.source}"')
            page.close()
        if self.egress:
            page.resource("aws_vpc_security_group_egress_rule", "all")
            page.put(f"security_group_id = aws_security_group.{self.label}.id")
            page.put('ip_protocol = "-1"')
            page.put(f'cidr_ipv4 = "{WORLD}"')
            page.close()

    def _range(self, page: Page, rule: Rule, line: str) -> None:
        broken = ADMIN if rule.broken else ""
        page.put(line, broken, f"{page.address} opens port {rule.port} to every address")


def draw(rng: Random) -> SecurityGroup:
    """A request for a security group; `again` then chooses the answer."""
    name = names.name(rng)
    noun = pick(rng, "a security group|a security group|an AWS security group|a firewall group|a SG")
    quote = pick(rng, '||||"|`')
    first = f"{noun} {pick(rng, 'called|called|named|with the name')} {quote}{name}{quote}"
    if rng.random() < 0.04:  # nobody said how it is called
        name, first = "main", noun
    more: list[str] = []
    press = rng.random() < 0.1
    rules: list[Rule] = []
    phrases: list[str] = []
    for _ in range(rng.choices((1, 2, 3), (50, 38, 12))[0]):
        rule, phrase = _rule(rng, press)
        if rule.name not in {other.name for other in rules} and rule.port not in {other.port for other in rules}:
            rules.append(rule)
            phrases.append(phrase)
    listed = phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]
    if rng.random() < 0.6:
        verb = pick(rng, "that allows|that lets in|which allows|allowing|with|for|that opens|open for")
        first += f" {verb} {listed}"
    else:
        more.append(f"{pick(rng, 'Allow|Open|It must allow|It allows|Let in|It should allow|Permit')} {listed}.")
    region = rng.choice(names.REGIONS) if rng.random() < 0.12 else ""
    if region:
        more.append(pick(rng, "The region is N.|Region N.|Use the region N.").replace("N", region))
    tags = names.tags(rng)
    if tags:
        more.append(tag_words(rng, tags))
    if press:
        more.append(pick(rng, PRESSURE))
    request = compose(rng, f"{pick(rng, VERBS)} {first}", more)
    return SecurityGroup(request, name, names.label(name), tuple(rules), region, tags)


def _rule(rng: Random, press: bool) -> tuple[Rule, str]:
    if rng.random() < 0.62:
        said, called, port = rng.choice(_ADMIN)
        if rng.random() < 0.3:
            source = _range(rng)
            return Rule(called, port, True, source), f"{said} {_from(rng, source)}"
        if rng.random() < 0.35:
            return Rule(called, port, True, WORLD, 0.9), f"{said} {pick(rng, _ANYWHERE)}"
        who = pick(rng, "|||| for the admins| from our laptops| for the ops team| for support| for maintenance")
        return Rule(called, port, True, "", 0.85 if press else 0.6), said + who
    if rng.random() < 0.3:
        port = rng.choice((rng.randint(1024, 65000), rng.randint(4000, 9999)))
        port = port if port not in {known for _, _, known in _ADMIN} else port + 1
        source = _range(rng)
        return Rule("app", port, False, source), f"port {port} {_from(rng, source)}"
    said, called, port = rng.choice(_OPEN)
    if rng.random() < 0.15:
        source = _range(rng)
        return Rule(called, port, False, source), f"{said} {_from(rng, source)}"
    return Rule(called, port, False, ""), said + pick(rng, "|| from anywhere| from the internet| from everywhere")


def _from(rng: Random, source: str) -> str:
    place = pick(rng, "from|from|from|only from|from the VPC|from the office|from the network")
    return f"{place} {source}" if "the" not in place else f"{place} {pick(rng, '|')}({source})"


def _range(rng: Random) -> str:
    draw = rng.random()
    if draw < 0.5:
        return f"10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.0/24"
    if draw < 0.7:
        return f"10.{rng.randint(0, 255)}.0.0/16"
    if draw < 0.85:
        return f"192.168.{rng.randint(0, 255)}.0/24"
    return f"172.{rng.randint(16, 31)}.0.0/16"
