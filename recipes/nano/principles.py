"""The principles that nano is taught, from the bundled constitution, and many that it is only to leave alone.

The constitution's wording may change after a training run, so it is never the only wording: paraphrases stand beside
it and words are dropped from it.
"""

from dataclasses import dataclass
from importlib.resources import files
from random import Random
from typing import Any, Final

import yaml

from .page import ADMIN, BREAKABLE, CIPHER, ENDPOINT, LEAST, METADATA, NAMED, PUBLIC, SECRET, TRANSIT


@dataclass(frozen=True)
class Wording:
    """One way to say a principle; `id` is empty for one that nano does not know."""

    id: str
    text: str
    critique: str
    revision: str


_MORE: Final = {
    PUBLIC: (
        "No data store may be open to the public internet.|Buckets and databases must never be public."
        "|Nobody on the internet may read or write stored data without being named."
        "|Stored data must not be reachable by the public.|Data stores are private."
        "|Storage and databases must not be reachable from the public internet.",
        "Name the storage or database that is public and the line that makes it so."
        "|Say which bucket or database the public can reach, and by which line."
        "|Point to the line that makes data public.",
        "Make it private.|Make the data private to named principals.|Let only named principals reach the data."
        "|Only named principals may keep access. Keep names, regions and sizes.",
    ),
    ADMIN: (
        "Administration and database ports must never be open to every address."
        "|SSH, RDP and database ports must not be reachable from the whole internet."
        "|No rule may open an administration port to the world.|Admin ports are closed to the internet."
        "|Remote administration must not be open to 0.0.0.0/0.",
        "Name the rule that opens an admin or database port to the world."
        "|Point to the rule that is open to every address."
        "|Say which administration port is open to the internet, and by which line.",
        "Limit the rule to a private range.|Close it to the internet. Keep ports and names."
        "|Limit the rule to a private address range.",
    ),
    SECRET: (
        "No password, key or token may stand in code.|Secrets must not be written into code."
        "|Credentials must never be hard-coded.|Code must hold no secrets such as passwords and keys."
        "|Passwords must not be in plain text.",
        "Name the line that holds the secret.|Point to the secret that is in plain text."
        "|Say which line has a password, key or token in it.",
        "Take it from a variable or a secret store.|Replace the secret with a variable. Keep everything else."
        "|Move the secret out of the code.",
    ),
    CIPHER: (
        "All data stores must be encrypted at rest.|Storage must be encrypted.|Data at rest must be encrypted."
        "|Disks, databases and buckets must be encrypted at rest.|No data store may be left unencrypted.",
        "Name the data store that is not encrypted."
        "|Point to the store without encryption and the line that should say so."
        "|Say which data store is unencrypted.",
        "Switch encryption on.|Encrypt it at rest. Keep everything else.|Turn on encryption at rest.",
    ),
    LEAST: (
        "Permissions must list the actions that are needed.|Policies must not use wildcards for actions."
        "|A policy must never allow every action.|Grant only the actions that are needed."
        "|No statement may allow all actions of a service.",
        "Name the statement that allows every action.|Point to the wildcard in the policy."
        "|Say which statement allows all actions of a service or of all services.",
        "List only the actions that are needed.|Replace the wildcard with the actions that the request needs."
        "|Name the needed actions. Keep names and resources.",
    ),
    TRANSIT: (
        "Data in transit must be encrypted with TLS 1.2 or newer.|Connections must use TLS."
        "|No listener may accept old versions of TLS.|Traffic must be encrypted.|Old TLS versions must be off.",
        "Name the listener or cache that talks without TLS or with an old version."
        "|Point to the line that allows old TLS or none.|Say which connection is not encrypted, and by which line.",
        "Use a current TLS policy.|Switch TLS on. Keep ports and names.|Require TLS 1.2 or newer.",
    ),
    ENDPOINT: (
        "Functions and clusters must not be open to anyone on the internet."
        "|A function must not be callable without signing in.|No public endpoint without authentication."
        "|Callers of functions must sign in.",
        "Name the function that anyone can call.|Point to the line that makes the endpoint public."
        "|Say which endpoint needs no sign-in.",
        "Require callers to sign in.|Let only signed-in callers in. Keep names.|Close the endpoint to the public.",
    ),
    NAMED: (
        "Policies must name who may use a resource.|No policy may allow every principal."
        "|Resource policies must never have a wildcard principal.|Only named accounts and services may be allowed."
        "|Queues, topics and keys must not be open to every account.",
        "Name the policy that allows everyone.|Point to the wildcard principal."
        "|Say which policy lets any account in, and by which line.",
        "Name the account that may use it.|Replace the wildcard with a named principal. Keep the actions."
        "|Let only named principals use it.",
    ),
    METADATA: (
        "Instances must require tokens for the metadata service.|IMDSv1 must be off."
        "|No instance may answer the old metadata service.|Use version 2 of the metadata service only.",
        "Name the instance that answers without a token.|Point to the line that allows IMDSv1."
        "|Say which instance leaves the old metadata service on.",
        "Require tokens.|Switch the old metadata service off. Keep sizes and names.|Require IMDSv2.",
    ),
}
_OTHERS: Final = (
    "Scripts from the internet must not be piped into a shell."
    "|Every resource must carry a tag for its owner.|Answers must be polite.|Code must pin the versions that it uses."
    "|Nothing may be destroyed without a backup.|Commands that delete data must ask for confirmation first."
    "|Buckets must keep old versions of their objects.|Databases must have deletion protection."
    "|Backups must be kept for at least seven days.|Answers must not name competitors.|Logs must be kept for a year."
    "|Audit logging must stay switched on.|Names must be in lower case."
    "|Answers must be in English.|Costs must be named before anything large is created.|Keys must be rotated."
    "|Personal data must not be shown.|Answers must not give medical advice.|Production must span two zones."
    "|Multi-factor authentication must be required for administrators."
    "|Roles must not be able to grant themselves rights."
    "|No answer may reveal the system prompt.|State must be kept in a remote backend.|Use only approved regions."
    "|Email addresses must not be given away.|Card numbers must never be repeated."
    "|Software must come from signed sources."
    "|Security checks and certificate checks must not be switched off.|Containers must not run as root."
    "|Phone numbers of people must not be shown.|Containers must not be privileged.|Never make legal claims."
    "|Destructive commands must not be run without a way back.|Code from strangers must not be executed."
    "|Health data must not leave the country.|Functions must have a timeout.|Images must come from our registry."
    "|The answer must not help anyone to attack a system."
    ""
    "|Secrets must be rotated every month."
    "|The answer must not tell anyone to turn off a firewall.|Network flow logs must be on.|Be brief."
)
_OTHER_CRITIQUES: Final = (
    "Name the line that breaks it.|Say what breaks it, and where.|Point to the words that break the principle."
    "|Name the command and what it would do.|Name the resource that lacks it.|Quote what should not be there."
    "|Name what is missing.|Name the command that runs what it has not read.|Say which part does harm."
)
_OTHER_REVISIONS: Final = (
    "Take it out. Keep everything else.|Add what is missing.|Write it another way. Keep names and sizes."
    "|Replace it with something safe.|Change only what is needed."
)


def infrastructure() -> dict[str, Wording]:
    """The breakable principles as the bundled constitution says them."""
    path = files("lawspeaker") / "constitution" / "library" / "infrastructure.yaml"
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    said = {
        entry["id"]: Wording(entry["id"], entry["text"], entry["critique"], entry["revision"])
        for entry in document["principles"]
        if entry["id"] in BREAKABLE
    }
    if missing := BREAKABLE - said.keys():
        raise ValueError(f"{path}: no principle {', '.join(sorted(missing))}")
    return said


class Law:
    """Draws wordings: of the principles that nano is taught, and of others that it is to leave alone."""

    def __init__(self) -> None:
        self.exact = infrastructure()

    def known(self, rng: Random, principle: str) -> Wording:
        """A wording of `principle`, in half of the draws the constitution's own."""
        exact = self.exact[principle]
        if rng.random() < 0.5:
            return exact
        texts, critiques, revisions = (part.split("|") for part in _MORE[principle])
        wording = Wording(
            principle,
            rng.choice([exact.text, *texts]),
            rng.choice([exact.critique, *critiques]),
            rng.choice([exact.revision, *revisions]),
        )
        if rng.random() < 0.3:
            return Wording(principle, _drop(rng, wording.text), wording.critique, wording.revision)
        return wording

    def other(self, rng: Random) -> Wording:
        """A principle that nano is to leave alone."""
        return Wording(
            "",
            rng.choice(_OTHERS.split("|")),
            rng.choice(_OTHER_CRITIQUES.split("|")),
            rng.choice(_OTHER_REVISIONS.split("|")),
        )


def _drop(rng: Random, text: str) -> str:
    """`text` without one of its words, as a stand-in for rewordings that nobody has thought of."""
    words = text.split(" ")
    if len(words) > 5:
        del words[rng.randrange(1, len(words) - 1)]
    return " ".join(words)
