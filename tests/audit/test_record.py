"""Leaves: canonical, bounded, without text; and open to what later versions write."""

import msgspec
import pytest

from lawspeaker.audit import record as records
from lawspeaker.audit.record import LARGEST_LEAF, Record, commitment, new_id, opened
from lawspeaker.errors import LogError


def test_a_leaf_is_canonical_json_and_reads_back():
    record = opened(facts={"b": 1, "a": [True, None, "\u00e9"], "p": 0.5}, tenant="acme")
    leaf = records.encode(record)
    assert leaf.startswith(b'{"behaviour":"","constitution":"","facts":{"a":[true,null,"\xc3\xa9"],"b":1,"p":"0.5"},')
    assert records.decode(leaf).facts["p"] == "0.5"
    assert records.decode_strictly(leaf).id == record.id


def test_ids_are_random_and_an_opened_record_is_its_own_subject():
    assert len({new_id() for _ in range(1000)}) == 1000
    record = opened()
    assert record.subject == record.id
    assert len(record.id) == 32
    assert record.time.endswith("Z")


def test_kinds_and_fields_of_later_versions_can_be_read():
    plain = msgspec.to_builtins(opened()) | {"kind": "witnessed", "v": 7, "later": {"x": 1}}
    record = records.decode_strictly(msgspec.json.encode(plain, order="sorted"))
    assert (record.kind, record.v) == ("witnessed", 7)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "gossip"}, "kind must be one of"),
        ({"id": "1"}, "32 hexadecimal"),
        ({"subject": "A" * 32}, "32 hexadecimal"),
        ({"subject": "a" * 32}, "its own subject"),
        ({"kind": "decision"}, "its own subject"),
        ({"tenant": "a b"}, "tenant"),
        ({"time": "yesterday"}, "RFC 3339"),
        ({"v": 2}, "present version"),
        ({"texts": {"answer": "00"}}, "no commitments"),
    ],
)
def test_what_must_not_become_a_leaf_is_refused(changes, says):
    with pytest.raises(LogError, match=says):
        records.check(msgspec.structs.replace(opened(), **changes), {})


@pytest.mark.parametrize("name", ["", "Answer", "a\nb", "../up", "a" * 65, "-"])
def test_names_of_texts_are_plain(name):
    with pytest.raises(LogError, match="name"):
        records.check(opened(), {name: "x"})


def test_a_leaf_and_its_texts_are_bounded():
    with pytest.raises(LogError, match="put long ones into texts"):
        records.encode(opened(facts={"x": "y" * LARGEST_LEAF}))
    with pytest.raises(LogError, match="the most is"):
        records.check(opened(), {"answer": "x" * (records.LARGEST_TEXTS + 1)})


@pytest.mark.parametrize("fact", [float("nan"), object(), "\ud800", {1: object()}])
def test_facts_are_plain_data(fact):
    with pytest.raises(LogError, match="plain data"):
        records.encode(opened(facts={"x": fact}))


@pytest.mark.parametrize(
    "change",
    [
        (b'{"b', b'{ "b'),
        (b'"kind":"opened"', b'"kind":"opened","kind":"opened"'),
        (b'"v":1', b'"v":1.0'),
        (b'"v":1', b'"v":01'),
        (b"opened", b"\\u006fpened"),
        (b'"v":1}', b'"v":1}\n'),
        (b'"facts":{}', b'"facts":[]'),
        (b"opened", b"\xffpened"),
    ],
)
def test_another_text_for_the_same_record_is_not_a_leaf(change):
    with pytest.raises(LogError, match="leaf is not"):
        records.decode_strictly(records.encode(opened()).replace(*change))


def test_a_commitment_binds_salt_record_name_and_text():
    base = (b"s" * 32, "r", "answer", b"text")
    others = [(b"t" * 32, *base[1:]), (base[0], "q", *base[2:]), (*base[:2], "draft", base[3]), (*base[:3], b"Text")]
    assert len({commitment(*case) for case in (base, *others)}) == 5


def test_a_record_says_who_made_it():
    assert Record(kind="failed", id=new_id(), subject=new_id()).producer.startswith("lawspeaker/")
