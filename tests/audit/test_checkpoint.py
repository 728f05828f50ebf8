"""Checkpoints: one text for one head, and every other text refused."""

import pytest

from lawspeaker.audit.checkpoint import Checkpoint, Signer, Verifier, encode64, open_note
from lawspeaker.errors import LogError

SIGNER = Signer("example.com/log", bytes(range(32)))
OTHER = Signer("witness.example", bytes(32))
VERIFIERS = [Verifier(SIGNER.vkey)]
HEAD = Checkpoint("example.com/log", 42, bytes(range(32)))
NOTE = SIGNER.sign(HEAD)


def resigned(text: str) -> str:
    """A note that the log's own key signed, whatever it says."""
    signature = SIGNER._key.sign(text.encode())
    return f"{text}\n\u2014 {SIGNER.name} {encode64(SIGNER.id + signature)}\n"


def signature_line(signer: Signer) -> str:
    return signer.sign(HEAD).rpartition("\n\n")[2]


def test_a_note_opens_to_what_was_signed():
    assert open_note(NOTE, VERIFIERS) == HEAD
    assert NOTE.startswith(
        "example.com/log\n42\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n\u2014 example.com/log "
    )


def test_the_example_of_the_specification_opens():
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    with pytest.raises(LogError, match="not signed by"):
        open_note(note, VERIFIERS)


def test_a_key_of_gos_note_package_has_the_id_that_go_gives_it():
    verifier = Verifier("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    assert (verifier.name, verifier.id.hex()) == ("PeterNeumann", "c74f20a3")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    line = f"\u2014 PeterNeumann {signature}\n"
    with pytest.raises(LogError, match="an origin, a size and a root"):
        open_note(f"{text}\n{line}", [verifier])
    with pytest.raises(LogError, match=r"signature by PeterNeumann.* is wrong"):
        open_note(f"{text}x\n\n{line}", [verifier])


def test_signatures_of_unknown_keys_are_ignored():
    assert open_note(NOTE + signature_line(OTHER), VERIFIERS) == HEAD
    witnessed = f"{HEAD.text}\n{signature_line(OTHER)}{signature_line(SIGNER)}"
    assert open_note(witnessed, VERIFIERS) == HEAD


@pytest.mark.parametrize(
    ("note", "says"),
    [
        (resigned(HEAD.text.replace("42", "042")), "leading zeros"),
        (resigned(HEAD.text.replace("42", "+42")), "leading zeros"),
        (resigned(HEAD.text.replace("42", "-1")), "leading zeros"),
        (resigned(HEAD.text.replace("42", "\u0664\u0662")), "leading zeros"),
        (resigned(HEAD.text.replace("42", " 42")), "leading zeros"),
        (resigned(HEAD.text.replace("42", "4" * 30)), "leading zeros"),
        (resigned(HEAD.text.replace("AAEC", "AAE")), "32 bytes"),
        (resigned(HEAD.text.replace("Hh8=", "Hh9=")), "32 bytes"),
        (resigned(HEAD.text.replace("Hh8=", "Hh8")), "32 bytes"),
        (resigned(HEAD.text + "extension\n"), "no extension"),
        (resigned("\n42\n" + HEAD.text.split("\n")[2] + "\n"), "an origin"),
        (
            resigned(HEAD.text.replace("example.com/log", "example.com/other")),
            "of the log 'example.com/other'",
        ),
        (NOTE + signature_line(SIGNER), "two signatures"),
        (NOTE.replace("42", "43"), "is wrong"),
        (NOTE[:-1], "must be a text"),
        (NOTE.replace("\n\n", "\n"), "must be a text"),
        (NOTE.replace("\u2014", "-"), "signature line"),
        (NOTE.replace("\u2014 ", "\u2014  "), "signature line"),
        (NOTE + "\n", "signature line"),
        (NOTE.replace("\n", "\r\n"), "control characters"),
        (NOTE[:-2] + "\n", "signature line"),
        ("x" * 100_000, "longer than"),
        ("", "must be a text"),
    ],
)
def test_what_prints_differently_or_is_signed_wrongly_is_refused(note, says):
    with pytest.raises(LogError, match=says):
        open_note(note, VERIFIERS)


def test_every_flipped_bit_of_a_note_is_refused():
    data = NOTE.encode()
    for place in range(len(data)):
        for bit in range(8):
            changed = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            with pytest.raises(LogError):
                open_note(changed.decode("utf-8", "replace"), VERIFIERS)


def test_the_origin_that_is_asked_for_must_be_the_one():
    with pytest.raises(LogError, match="not of 'elsewhere'"):
        open_note(NOTE, VERIFIERS, "elsewhere")


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "example.com/log",
        SIGNER.vkey.replace("example", "other"),
        SIGNER.vkey[:-4],
        SIGNER.vkey[:-1] + "!",
        "a b+00000000+AQ==",
        SIGNER.vkey.replace("+A", "+B", 1),
    ],
)
def test_a_verifier_key_that_is_none_is_refused(vkey):
    with pytest.raises(LogError, match="verifier key"):
        Verifier(vkey)


def test_a_key_cannot_have_a_name_that_a_note_could_not_hold():
    for name in ("", "a b", "a+b", "a\tb"):
        with pytest.raises(LogError, match="name"):
            Signer(name, bytes(32))
