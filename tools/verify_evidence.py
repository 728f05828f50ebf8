"""Checks a Lawspeaker evidence file. Written from docs/evidence-format.md; shares no code with Lawspeaker.

    python tools/verify_evidence.py EVIDENCE.json [--key VKEY|FILE]... [--witness VKEY]... [--quorum N] [--json]

Standard library, and one call of the `cryptography` package for the signature. Leaves with 0 where everything holds,
1 where something does not, 2 where the file or an argument cannot be read.
"""

import argparse
import base64
import hashlib
import hmac
import json
import re
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LARGEST_FILE = 256 * 1024 * 1024
STATES = {"present", "erased", "locked", "withheld"}
DASH = "\u2014 "
HEX_ID = re.compile(r"[0-9a-f]{32}")


class Refused(Exception):  # noqa: N818
    """Something that the file claims does not hold."""


class Unreadable(Exception):  # noqa: N818
    """The file or an argument is not what the format says."""


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """The one call of a cryptographic library."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def need(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(what)


def b64(text: Any, what: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, TypeError) as error:
        raise Unreadable(f"{what} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise Unreadable(f"{what} is not the one base64 text of its bytes")
    return data


def no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in an object twice")
    return found


def no_float(text: str) -> Any:
    raise ValueError(f"{text} is no integer")


def parse(data: bytes, what: str) -> Any:
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=no_twice, parse_float=no_float, parse_constant=no_float
        )
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{what} cannot be read: {error}") from error


class Key:
    """name+hash+base64(type || public key), type 1 for logs and 4 for witnesses."""

    def __init__(self, vkey: str, kind: int) -> None:
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3:
            raise Unreadable(f"a key must be NAME+HASH+KEY, not {vkey[:80]!r}")
        data = b64(parts[2], "a key")
        if len(data) != 33 or data[0] != kind:
            raise Unreadable(f"the key of {parts[0]} is not an Ed25519 key of type {kind}")
        self.name, self.public, self.kind = parts[0], data[1:], kind
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != parts[1]:
            raise Unreadable(f"the key of {parts[0]} says its id is {parts[1]}; it is {self.id.hex()}")

    def signed(self, text: str, signature: bytes) -> bool:
        if self.kind == 1:
            return verifies(self.public, signature, text.encode())
        time = int.from_bytes(signature[:8], "big")
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        return len(signature) == 72 and time < 1 << 63 and verifies(self.public, signature[8:], message)


def checkpoint(note: str, keys: list[Key], witnesses: list[Key], quorum: int) -> tuple[str, int, bytes, int]:
    """Origin, size, root and the number of witnesses of a signed head."""
    text, gap, signatures = note.rpartition("\n\n")
    need(bool(gap) and signatures.endswith("\n"), "the checkpoint has no signatures")
    need(not any(c < " " and c != "\n" for c in note), "the checkpoint holds control characters")
    text += "\n"
    by: dict[tuple[str, bytes], Key] = {(key.name, key.id): key for key in (*keys, *witnesses)}
    seen: set[tuple[str, bytes]] = set()
    for line in signatures[:-1].split("\n"):
        name, _, encoded = line.removeprefix(DASH).partition(" ")
        need(line.startswith(DASH) and bool(name), "a signature line of the checkpoint is malformed")
        try:
            data = b64(encoded, "a signature")
        except Unreadable as error:
            raise Refused(str(error)) from error
        who = (name, data[:4])
        if who not in by:
            continue
        need(who not in seen, f"the checkpoint has two signatures of {name}+{data[:4].hex()}")
        need(by[who].signed(text, data[4:]), f"the checkpoint's signature by {name}+{data[:4].hex()} is wrong")
        seen.add(who)
    lines = text[:-1].split("\n")
    need(len(lines) == 3, "the checkpoint must be an origin, a size and a root")
    origin, size, root = lines
    need(any((key.name, key.id) in seen and key.name == origin for key in keys), "no key of the log signed this head")
    need(size.isascii() and size.isdigit() and len(size) < 20 and str(int(size)) == size, "the size is no number")
    try:
        digest = b64(root, "the root")
    except Unreadable as error:
        raise Refused(str(error)) from error
    need(len(digest) == 32, "the root is not 32 bytes")
    cosigned = len({by[who].public for who in seen if by[who].kind == 4})
    need(cosigned >= quorum, f"{cosigned} of the witnesses cosigned the head, {quorum} are wanted")
    return origin, int(size), digest, cosigned


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, hashlib.sha256(b"\x00" + leaf).digest()
    for p in path:
        if sn == 0:
            return False
        if fn % 2 or fn == sn:
            r = node(p, r)
            while fn % 2 == 0 and fn:
                fn, sn = fn // 2, sn // 2
        else:
            r = node(r, p)
        fn, sn = fn // 2, sn // 2
    return sn == 0 and r == root


class Record:
    """One entry of `records` or `erasures`: proved to be in the log, its texts checked against its leaf."""

    def __init__(self, entry: Any, size: int, root: bytes) -> None:
        if not isinstance(entry, dict) or not isinstance(entry.get("index"), int):
            raise Unreadable("a record has no index")
        self.index = entry["index"]
        what = f"record {self.index}"
        proof = entry.get("proof")
        if not isinstance(proof, list) or len(proof) > 63:
            raise Unreadable(f"{what}: its proof is not a list of at most 63 hashes")
        path = [b64(part, f"{what}: its proof") for part in proof]
        self.leaf = b64(entry.get("leaf"), f"{what}: its leaf")
        shapely = all(len(part) == 32 for part in path)
        need(shapely and included(self.leaf, self.index, size, path, root), f"{what} is not in the log of this head")
        value = parse(self.leaf, f"{what}: its leaf")
        again = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        need(again == self.leaf, f"{what}: its leaf is not canonical JSON")
        self.kind, self.id, self.subject = (self.field(value, key, str) for key in ("kind", "id", "subject"))
        need(bool(HEX_ID.fullmatch(self.id)), f"{what}: its id is malformed")
        self.facts = self.field(value, "facts", dict)
        self.constitution = self.field(value, "constitution", str)
        self.commitments = self.field(value, "texts", dict)
        self.time = self.field(value, "time", str)
        self.missing: list[str] = []
        self.texts: dict[str, bytes] = {}
        self.check_texts(entry.get("texts", {}), entry.get("salt"))

    def field(self, value: Any, key: str, kind: type) -> Any:
        found = value.get(key) if isinstance(value, dict) else None
        need(isinstance(found, kind), f"record {self.index}: its leaf has no {key}")
        return found

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(b"\x00" + self.leaf).hexdigest()

    def check_texts(self, texts: Any, salt: Any) -> None:
        what = f"record {self.index}"
        if not isinstance(texts, dict) or not all(isinstance(text, dict) for text in texts.values()):
            raise Unreadable(f"{what}: its texts are no object")
        need(set(texts) == set(self.commitments), f"{what}: its texts are not those that it commits to")
        if salt is not None and not re.fullmatch(r"[0-9a-f]{64}", str(salt)):
            raise Unreadable(f"{what}: its salt is not 32 bytes in hex")
        for name, text in texts.items():
            state, data = text.get("state"), text.get("data")
            need(isinstance(state, str) and state in STATES, f"{what}: the text {name} has the unknown state {state!r}")
            need((state == "present") == (data is not None), f"{what}: the text {name} is {state}, its data is not")
            if state == "present":
                need(salt is not None, f"{what}: there is no salt for its texts")
                plain = b64(data, f"{what}: the text {name}")
                message = f"lawspeaker text 1\n{self.id}\n{name}\n".encode() + plain
                made = hmac.new(bytes.fromhex(salt), message, hashlib.sha256).hexdigest()
                same = hmac.compare_digest(made.encode(), str(self.commitments[name]).encode())
                need(same, f"{what}: the text {name} is not the one that was recorded")
                self.texts[name] = plain
            elif state == "erased":
                self.missing.append(name)

    @property
    def erases(self) -> set[str]:
        named = self.facts.get("erased") if self.kind == "erased" else None
        return {str(id_) for id_ in named} if isinstance(named, list) else set()


def law_of(evidence: dict[str, Any], records: list[Record]) -> str:
    """What the file shows of the law: its name and version where it is there."""
    encoded = evidence.get("law")
    digests = {record.constitution for record in records if record.kind == "decision"}
    if encoded is None:
        return f"not in the file; the decision names {', '.join(sorted(digests)) or 'none'}"
    data = b64(encoded, "the law")
    digest = "sha256:" + hashlib.sha256(b"lawspeaker/law/v1\0" + data).hexdigest()
    need(
        digests <= {digest} and digest in {r.constitution for r in records}, f"the law {digest} is not the one in force"
    )
    law = parse(data, "the law")
    need(isinstance(law, dict), "the law is no object")
    return f"{law.get('name')} {law.get('version')}, {digest}"


def story(evidence: dict[str, Any], records: list[Record], erasures: list[Record]) -> dict[str, Any]:
    """The records together: one exchange, in order, with what it says was decided."""
    subject = evidence.get("subject")
    need(bool(records), "there are no records")
    need(all(record.subject == subject for record in records), "a record is of another exchange")
    need(records[0].kind == "opened" and records[0].id == subject, "the first record does not open the exchange")
    order = [record.index for record in records]
    need(order == sorted(set(order)), "the records are not in the order of the log")
    erased = {id_ for record in (*records, *erasures) for id_ in record.erases}
    for record in records:
        need(not record.missing or record.id in erased, f"record {record.index}: texts are missing, no erasure proved")
    decisions = [record for record in records if record.kind == "decision"]
    rulings = [record for record in records if record.kind == "ruling"]
    need(len(rulings) <= 1, "there are two rulings")
    digests = {decision.digest for decision in decisions}
    need(all(r.facts.get("decision") in digests for r in rulings), "the ruling is on another decision")
    return {
        "decision": decisions[-1].facts.get("action") if decisions else None,
        "because": decisions[-1].facts.get("because", []) if decisions else [],
        "ruling": f"{rulings[0].facts.get('verdict')} by {rulings[0].facts.get('by')}" if rulings else None,
        "texts": {f"{r.index}/{name}": len(data) for r in records for name, data in r.texts.items()},
        "erased": sorted(f"{r.index}/{name}" for r in records for name in r.missing),
        "law": law_of(evidence, records),
    }


def keys_of(policy: dict[str, Any], what: str) -> list[str]:
    """Keys that the file names."""
    named = policy.get(what, [])
    if not isinstance(named, list) or not all(isinstance(key, str) for key in named):
        raise Unreadable(f"the policy's {what} are no list of keys")
    return named


def verify(data: bytes, keys: list[str], witnesses: list[str], quorum: int | None) -> dict[str, Any]:
    """Everything that the file proves; raises `Refused` or `Unreadable`."""
    evidence = parse(data, "the file")
    if not isinstance(evidence, dict) or evidence.get("format") != "lawspeaker-evidence 1":
        raise Unreadable("this is no evidence file of the format lawspeaker-evidence 1")
    policy = evidence.get("policy")
    if not isinstance(policy, dict) or not isinstance(evidence.get("checkpoint"), str):
        raise Unreadable("the file has no policy or no checkpoint")
    if quorum and not witnesses:
        raise Unreadable("--quorum without --witness: who wants a quorum says whose, the sender's may be the sender")
    trusted = keys or keys_of(policy, "keys")
    watched = witnesses or keys_of(policy, "witnesses")
    wanted = quorum if quorum is not None else policy.get("quorum", 0)
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0 or not trusted:
        raise Unreadable("there is no key of the log, or no quorum that is a number")
    origin, size, root, cosigned = checkpoint(
        evidence["checkpoint"], [Key(key, 1) for key in trusted], [Key(key, 4) for key in watched], wanted
    )
    if not isinstance(evidence.get("records"), list) or not isinstance(evidence.get("erasures", []), list):
        raise Unreadable("the file has no list of records")
    records = [Record(entry, size, root) for entry in evidence["records"]]
    erasures = [Record(entry, size, root) for entry in evidence.get("erasures", [])]
    scope = "the log's key was brought" if keys else "the log's key came with the file: integrity only"
    if cosigned and not witnesses:
        scope += "; the witnesses' keys came with the file"
    told = story(evidence, records, erasures)
    head = {"origin": origin, "size": size, "root": root.hex(), "witnesses": cosigned, "scope": scope}
    listed = [{"index": r.index, "kind": r.kind, "id": r.id, "time": r.time, "digest": r.digest} for r in records]
    return {"ok": True, **head, "records": listed, **told}


def read(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_FILE:
        raise Unreadable("the file is larger than 256 MiB")
    return path.read_bytes()


def read_key(text: str) -> list[str]:
    if text.count("+") >= 2:
        return [text]
    try:
        return Path(text).read_text(encoding="utf-8").split()
    except (OSError, ValueError) as error:
        raise Unreadable(f"--key {text[:100]}: no key, and no file that holds one") from error


def tell(found: dict[str, Any]) -> None:
    for record in found["records"]:
        print(f"record {record['index']}: {record['kind']} {record['id']} of {record['time']} is in the log")
    print(f"decision: {found['decision']} because of {', '.join(map(str, found['because'])) or 'nothing'}")
    if found["ruling"]:
        print(f"ruling: {found['ruling']}")
    print(f"law: {found['law']}")
    print(f"texts: {len(found['texts'])} are the ones recorded, {len(found['erased'])} were erased, on record")
    print(f"head: {found['origin']}, {found['size']} records, {found['witnesses']} witnesses")
    print(f"ok: everything holds; {found['scope']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("evidence")
    parser.add_argument("--key", action="append", default=[], help="the log's public key, or a file that holds it")
    parser.add_argument("--witness", action="append", default=[], help="a witness's public key")
    parser.add_argument("--quorum", type=int, help="so many of the witnesses must have cosigned")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        keys = [key for text in options.key for key in read_key(text)]
        found = verify(read(Path(options.evidence)), keys, options.witness, options.quorum)
    except Refused as error:
        print(json.dumps({"ok": False, "why": str(error)}) if options.json else f"not ok: {error}")
        return 1
    except (Unreadable, OSError, ValueError) as error:
        print(f"{options.evidence}: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found, indent=1)) if options.json else tell(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
