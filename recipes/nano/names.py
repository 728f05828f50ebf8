"""Names that a model cannot learn by heart.

A trial with a few fixed names taught the grammar and no copying: three answers in a hundred held the name that was
asked for. Here nearly every sample draws fresh names from a space that no training run can exhaust, so that copying
from the request is the only way to be right. Plain words are in the mix because people use them.
"""

from random import Random
from typing import Final

WORDS: Final = tuple(
    """
    invoices logs media orders assets backups reports users images uploads archive billing payments audit events
    metrics exports imports documents photos videos statements contracts payroll claims tickets catalog inventory
    shop store blog portal api web app data analytics search mail news cache sessions profiles accounts customers
    partners suppliers staff hr finance legal sales marketing support research models datasets raw curated landing
    staging scratch public-site website frontend backend worker batch ingest queue stream gateway edge core main
    primary replica shared internal platform tools build artifacts releases packages wiki docs notes forum chat
    feedback survey booking travel fleet depot warehouse shipping returns loyalty rewards coupons ads tracking maps
    weather sensors iot devices firmware telemetry health clinic patients lab genome school courses exams library
    books music games scores league tournament recipes menu kitchen garden farm harvest energy solar grid meter
    water transit rail bus ferry airport cargo port harbor bank ledger cards loans credit risk fraud vault keys
    """.split()  # noqa: SIM905 - as a list it would fill a screen per word
)
COMPANIES: Final = tuple(
    """
    acme globex initech umbrella hooli stark wayne contoso fabrikam northwind tailspin adventure litware proseware
    oscorp cyberdyne soylent tyrell aperture vandelay wonka dunder sirius massive pied gringotts monarch veridian
    """.split()  # noqa: SIM905
)
ENVIRONMENTS: Final = ("prod", "dev", "test", "staging", "qa", "demo", "live", "uat")
REGIONS: Final = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1",
    "eu-north-1", "eu-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-south-1", "ca-central-1",
    "sa-east-1",
)  # fmt: skip
_ONSETS: Final = tuple(
    """
    b c d f g h j k l m n p qu r s t v w x y z bl br ch cl cr dr fl fr gl gr kn pl pr sh sk sl sp st str th tr
    """.split()  # noqa: SIM905
)
_NUCLEI: Final = tuple("a e i o u a e i o u ai au ea ee ia io oa oo ou y".split())  # noqa: SIM905
_CODAS: Final = ("",) * 14 + tuple("b ck d l ll m n nd ng nt p r rd rk rt s sh st t th x".split())  # noqa: SIM905
_ALNUM: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


def syllables(rng: Random) -> str:
    """A made-up word of one to four syllables, such as `tragu` or `velmoshi`."""
    count = rng.choices((1, 2, 3, 4), (25, 50, 21, 4))[0]
    return "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS) for _ in range(count))


def word(rng: Random, plain: float = 0.3) -> str:
    """One lower-case word; `plain` is the share of dictionary words."""
    draw = rng.random()
    if draw < plain:
        return rng.choice(WORDS).replace("-", "")
    if draw < plain + 0.06:  # letters and digits without any rhythm
        return rng.choice(_ALNUM[:26]) + "".join(rng.choice(_ALNUM) for _ in range(rng.randint(2, 7)))
    return syllables(rng)


def name(rng: Random, joint: str = "-") -> str:
    """A name as people give to resources: one to three words, sometimes with digits or an environment."""
    words = [word(rng) for _ in range(rng.choices((1, 2, 3), (52, 38, 10))[0])]
    draw = rng.random()
    if draw < 0.12:
        words.append(rng.choice(ENVIRONMENTS))
    elif draw < 0.18:
        words.insert(0, rng.choice(ENVIRONMENTS))
    elif draw < 0.26:
        words.append(str(rng.choice((rng.randint(1, 99), rng.randint(2015, 2030), rng.randint(100, 99999)))))
    elif draw < 0.32:
        words[-1] += str(rng.randint(1, 99))
    return joint.join(words)


def company(rng: Random) -> str:
    return rng.choice(COMPANIES) if rng.random() < 0.2 else word(rng, plain=0.05)


def label(text: str) -> str:
    """The Terraform label of something that is called `text`."""
    return text.replace("-", "_")


def tags(rng: Random) -> dict[str, str]:
    """Up to two tags that a request may ask for."""
    kinds = {
        "Environment": rng.choice(ENVIRONMENTS),
        "Team": word(rng),
        "Project": word(rng),
        "CostCenter": str(rng.randint(10, 99999)),
        "Service": word(rng),
    }
    chosen = rng.sample(sorted(kinds), rng.choices((0, 1, 2), (60, 28, 12))[0])
    return {key: kinds[key] for key in chosen}


def secret(rng: Random) -> str:
    """A made-up password, of the kinds that people type into code."""
    draw = rng.random()
    if draw < 0.3:
        return word(rng).capitalize() + rng.choice("!#@") + str(rng.randint(1, 9999))
    if draw < 0.6:
        return word(rng) + str(rng.randint(10, 9999)) + rng.choice(("", "!", "!!"))
    if draw < 0.75:
        return rng.choice(("password", "changeme", "secret", "admin", "postgres", "letmein")) + rng.choice(
            ("", "123", "1234", "!", "2024")
        )
    return "".join(rng.choice(_ALNUM) for _ in range(rng.randint(8, 14)))


def token(rng: Random) -> str:
    """A made-up token of a service: letters and digits without any rhythm."""
    return "".join(rng.choice(_ALNUM) for _ in range(rng.randint(12, 20)))
