"""Private keys as people paste them: quoted, commented out, in code, in JSON, and what only names them."""

import json
import time

import pytest

from lawspeaker.checks.secrets.kind import find
from tests.checks.judged import findings

LINE = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xY" * 2
KIND = "PRIVATE KEY"
BEGIN, END = f"-----BEGIN {KIND}-----", f"-----END {KIND}-----"
LINES = [BEGIN, LINE, LINE, "aB3=", END]
PEM = "\n".join(LINES)


def each(form: str) -> str:
    return "\n".join(form % line for line in LINES)


KEYS = {
    "plain": PEM,
    "line ends of Windows": PEM.replace("\n", "\r\n"),
    "block quote": each("> %s"),
    "nested block quote": each("> > %s"),
    "comment": each("# %s"),
    "diff": each("+%s"),
    "SQL comment": each("-- %s"),
    "numbered": each("  7 | %s"),
    "strings of Python": each('    "%s\\n"'),
    "sum of strings": each('"%s\\n" +'),
    "shell": each("echo '%s' >> key.pem"),
    "JSON": json.dumps({"key": PEM}),
    "JSON in JSON": json.dumps(json.dumps({"key": PEM})),
    "one line": " ".join(LINES),
    "HTML": "<br/>".join(LINES),
    "comment of the vendor": PEM.replace(BEGIN, f"{BEGIN}\nComment: example"),
    "encrypted": PEM.replace(BEGIN, f"{BEGIN}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{'0A' * 16}\n"),
    "long comment": PEM.replace(BEGIN, f"{BEGIN}\nComment: {'not a real key ' * 500}"),
    "placeholder words outside": f"your sample:\n{PEM}",
    "words in the body": PEM.replace("aB3=", "EXAMPLExxxxTODO"),
    "kind": PEM.replace(KIND, f"RSA {KIND}"),
    "PGP": PEM.replace(KIND, f"PGP {KIND} BLOCK").replace(LINE, f"Version: 1\n\n{LINE}", 1),
    "SSH2": PEM.replace("-----", "----").replace("BEGIN ", "BEGIN SSH2 ").replace("----BEGIN", "---- BEGIN"),
}

MENTIONS = [
    f"{BEGIN}\n...\n{END}",
    f"{BEGIN}\n<your key>\n{END}\n-----BEGIN CERTIFICATE-----\n{LINE}\n-----END CERTIFICATE-----",
    f"{BEGIN}\n{'x' * 64}\n{END}",
    f"A file that starts with {BEGIN} is a key; see docs/guides/security/handling/private/keys/of/services.",
    f"Look for {BEGIN} in it; its digest is {'0a1b2c3d' * 8}.",
    f"Look for {BEGIN} in it.{' Never send it to anyone.' * 60} Its tag is {LINE}.",
    f"-----BEGIN PUBLIC KEY-----\n{LINE}\n-----END PUBLIC KEY-----",
]


@pytest.mark.parametrize("name", KEYS)
def test_a_private_key_is_found_to_its_end(name: str) -> None:
    text = f"before\n{KEYS[name]}\nafter {LINE}"
    (secret,) = find(text)
    assert secret.format.id == "private-key"
    assert text[: secret.start].count("-----BEGIN") == 0
    assert text[secret.end :].endswith(f"after {LINE}")
    assert LINE not in text[secret.end : -len(LINE)]
    assert "PRIVATE" not in text[secret.end :]


def test_a_key_without_an_end_ends_with_its_body() -> None:
    text = "\n".join(f"> {line}" for line in LINES[:-1])
    (secret,) = find(f"{text}. What is it?")
    assert (secret.start, secret.end) == (2, len(text))


def test_two_keys_are_two() -> None:
    assert len(find(f"{PEM}\n{PEM}")) == 2


@pytest.mark.parametrize("text", MENTIONS)
def test_what_only_names_a_private_key(text: str) -> None:
    assert [finding.outcome for finding in findings("secrets", {}, text)] == ["upheld"]


def test_a_token_in_a_comment_is_part_of_the_key() -> None:
    token = "gh" + "p_" + LINE[:36]
    text = PEM.replace(BEGIN, f"{BEGIN}\nComment: {token}")
    assert [secret.format.id for secret in find(text)] == ["private-key"]
    assert [finding.check for finding in findings("secrets", {"allow": token}, text)] == ["secrets/private-key"]


@pytest.mark.parametrize(
    "piece", [BEGIN, f"{BEGIN} {LINE[:31]} ", "-----BEGIN ", "a" * 31 + " ", LINE + "\\" * 8, "-", "\\"]
)
def test_reading_takes_linear_time(piece: str) -> None:
    text = BEGIN + piece * (400_000 // len(piece))
    started = time.process_time()
    find(text)
    assert time.process_time() - started < 5
