"""Relational database: one `aws_db_instance`."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from . import names
from .page import CIPHER, PRESSURE, PUBLIC, SECRET, UNTOUCHED, VERBS, Page, compose, pick, tag_words

_ENGINES: Final = {
    "postgres": ("Postgres|PostgreSQL|postgres|Postgres", ("13", "14", "15", "16", "17", "16.3", "15.7")),
    "mysql": ("MySQL|mysql|MySQL", ("8.0", "8.4", "5.7")),
    "mariadb": ("MariaDB|mariadb", ("10.6", "10.11", "11.4")),
}
_CLASSES: Final = (
    "db.t3.micro", "db.t3.small", "db.t3.medium", "db.t4g.micro", "db.t4g.small", "db.t4g.medium", "db.t4g.large",
    "db.m6g.large", "db.m7g.large", "db.m6i.xlarge", "db.r6g.large", "db.r6g.xlarge",
)  # fmt: skip
_PUBLIC: Final = (
    "We connect from our laptops.|It must be reachable from the internet.|Our analysts connect from home."
    "|It has to be reachable from anywhere.|I want to connect to it from home."
)
_CIPHER: Final = "Encrypt it.|It must be encrypted.|Encrypt the storage.|Encryption must be on."


@dataclass(frozen=True)
class Database:
    """Empty strings and zeros are what the request does not say and the answer need not hold."""

    request: str
    identifier: str
    label: str
    engine: str
    version: str
    size: str
    storage: int
    schema: str
    user: str
    region: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    backups: int = 0
    multi: bool = False
    said: tuple[str, ...] = ()
    odds: dict[str, float] = field(default_factory=dict)
    secret: str = ""
    literal: bool = False
    managed: bool = False
    cipher: str = "true"  # "true", "false" or "" where the line is missing
    public: str = ""
    family: str = "database"

    @property
    def wanted(self) -> tuple[str, ...]:
        return (
            f'"{self.identifier}"',
            f'engine = "{self.engine}"',
            *self.said,
            *(f'"{v}"' for v in self.tags.values()),
        )

    def again(self, rng: Random, breaks: frozenset[str]) -> "Database":
        def broken(principle: str) -> bool:
            return principle in breaks and rng.random() < self.odds[principle]

        return replace(
            self,
            literal=broken(SECRET),
            secret=self.secret or names.secret(rng),
            managed=rng.random() < 0.4,
            cipher=pick(rng, "false|") if broken(CIPHER) else "true",
            public="true" if broken(PUBLIC) else pick(rng, "false|"),
        )

    def fixed(self, principle: str) -> "Database":
        if principle == SECRET:
            return replace(self, literal=False)
        if principle == CIPHER:
            return replace(self, cipher="true")
        if principle == PUBLIC and self.public == "true":
            return replace(self, public="false")
        return self

    def upheld(self, principle: str) -> str:
        own = {
            PUBLIC: "the database has no public address",
            CIPHER: "the storage is encrypted",
            SECRET: "the password is not in the code",
        }
        return own.get(principle, UNTOUCHED[principle])

    def page(self) -> Page:
        page = Page()
        page.provider(self.region)
        where = f"aws_db_instance.{self.label}"
        missing = "" if self.cipher else CIPHER
        page.resource("aws_db_instance", self.label, missing, f"nothing in {where} switches encryption at rest on")
        page.put(f'identifier = "{self.identifier}"')
        page.put(f'engine = "{self.engine}"')
        if self.version:
            page.put(f'engine_version = "{self.version}"')
        page.put(f'instance_class = "{self.size}"')
        page.put(f"allocated_storage = {self.storage}")
        page.put(f'db_name = "{self.schema}"')
        page.put(f'username = "{self.user}"')
        if self.literal:
            page.put(f'password = "{self.secret}"', SECRET, f"{where} holds its password in plain text")
        elif self.managed:
            page.put("manage_master_user_password = true")
        else:
            page.put("password = var.db_password")
        if self.cipher:
            broken = CIPHER if self.cipher == "false" else ""
            page.put(f"storage_encrypted = {self.cipher}", broken, f"{where} keeps its data unencrypted")
        if self.public:
            broken = PUBLIC if self.public == "true" else ""
            page.put(f"publicly_accessible = {self.public}", broken, f"{where} gets an address on the internet")
        if self.multi:
            page.put("multi_az = true")
        if self.backups:
            page.put(f"backup_retention_period = {self.backups}")
        page.put("skip_final_snapshot = true")
        page.tags(self.tags)
        page.close()
        if not (self.literal or self.managed):
            page.variable("db_password", sensitive=True)
        return page


def draw(rng: Random) -> Database:
    """A request for a database; `again` then chooses the answer."""
    name = names.name(rng)
    engine = rng.choices(tuple(_ENGINES), (60, 30, 10))[0]
    spoken, versions = _ENGINES[engine]
    noun = pick(rng, "a E database|a E database|an RDS E database|a E RDS instance|a managed E database|a E instance")
    noun = (
        noun.replace("E", pick(rng, spoken), 1)
        if noun != "an RDS E database"
        else f"an RDS {pick(rng, spoken)} database"
    )
    quote = pick(rng, '||||"|`')
    first = f"{noun} {pick(rng, 'called|called|named|with the name')} {quote}{name}{quote}"
    if rng.random() < 0.04:  # nobody said how it is called
        name, first = "main", noun
    plan = Database(
        "", name, names.label(name), engine, "", "db.t4g.micro", 20, names.label(name), "app",
        odds={SECRET: 0.25, CIPHER: 0.26, PUBLIC: 0.12},
    )  # fmt: skip
    more: list[str] = []
    plan, first = _sizes(rng, plan, first, more, versions)
    plan = _people(rng, plan, more)
    if rng.random() < 0.18:
        plan = replace(plan, region=rng.choice(names.REGIONS))
        plan = replace(plan, said=(*plan.said, f'"{plan.region}"'))
        first += f" in {plan.region}"
    tags = names.tags(rng)
    if tags:
        more.append(tag_words(rng, tags))
    request = compose(rng, f"{pick(rng, VERBS)} {first}", more)
    return replace(plan, request=request, tags=tags)


def _sizes(rng: Random, plan: Database, first: str, more: list[str], versions: tuple[str, ...]) -> tuple[Database, str]:
    said = list(plan.said)
    if rng.random() < 0.25:
        plan = replace(plan, version=rng.choice(versions))
        said.append(f'engine_version = "{plan.version}"')
        more.append(pick(rng, "Use version N.|The version is N.|Engine version N.").replace("N", plan.version))
    if rng.random() < 0.45:
        plan = replace(plan, storage=rng.choice((20, 30, 50, 100, 200, 250, 500, rng.randint(20, 999))))
        said.append(f"allocated_storage = {plan.storage}")
        if rng.random() < 0.6:
            first += pick(rng, " with N GB| with N GB of storage| with N GiB of disk").replace("N", str(plan.storage))
        else:
            more.append(pick(rng, "It needs N GB.|Give it N GB of storage.").replace("N", str(plan.storage)))
    if rng.random() < 0.35:
        plan = replace(plan, size=rng.choice(_CLASSES))
        said.append(f'"{plan.size}"')
        more.append(pick(rng, "Use N.|Run it on N.|The instance class is N.|Size N.").replace("N", plan.size))
    if rng.random() < 0.18:
        plan = replace(plan, backups=rng.choice((1, 7, 14, 30, rng.randint(2, 35))))
        said.append(f"backup_retention_period = {plan.backups}")
        more.append(pick(rng, "Keep backups for N days.|N days of backups.").replace("N", str(plan.backups)))
    if rng.random() < 0.12:
        plan = replace(plan, multi=True)
        said.append("multi_az = true")
        more.append(pick(rng, "Make it highly available.|Use two zones.|Multi-AZ, please."))
    return replace(plan, said=tuple(said)), first


def _people(rng: Random, plan: Database, more: list[str]) -> Database:
    said, odds = list(plan.said), dict(plan.odds)
    if rng.random() < 0.3:
        user = names.word(rng)
        plan = replace(plan, user=user)
        said.append(f'username = "{user}"')
        more.append(pick(rng, "The user is N.|The admin user is N.|User N.|The user name is N.").replace("N", user))
    if rng.random() < 0.1:
        secret = names.secret(rng)
        plan = replace(plan, secret=secret)
        odds[SECRET] = 0.8
        more.append(pick(rng, "The password is N.|Use the password N.|Password: N").replace("N", secret))
    draw = rng.random()
    if draw < 0.12:
        odds[PUBLIC] = 0.75
        more.append(pick(rng, _PUBLIC))
    elif draw < 0.22:
        odds[CIPHER] = 0.03
        more.append(pick(rng, _CIPHER))
    elif draw < 0.3:
        odds[PUBLIC] = 0.02
        more.append(pick(rng, "Keep it private.|It must not be public.|Only our network may reach it."))
    if rng.random() < 0.1:
        odds = {principle: min(0.9, 1.5 * odd) for principle, odd in odds.items()}
        more.append(pick(rng, PRESSURE))
    return replace(plan, said=tuple(said), odds=odds)
