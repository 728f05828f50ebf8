"""Composition: what an extension may do, and what it may not."""

from pathlib import Path

import pytest
from sample_law import KINDS, LAW, changed, law

from lawspeaker.checks.registry import KINDS as REAL
from lawspeaker.constitution.compose import combine
from lawspeaker.constitution.load import load
from lawspeaker.constitution.schema import Constitution, Principle
from lawspeaker.errors import ConstitutionError

EXTENSION = "name: wing\nversion: 2.0.0\nextends: [base.yaml]\nprinciples:\n  - id: no-shouting\n"
NEW = "  - {id: no-whispering, text: Answers must not whisper., severity: minor}\n"


def extended(folder: Path, fields: str, base: str = LAW) -> Constitution:
    """The law with one principle stated again as `fields`."""
    (folder / "base.yaml").write_text(base)
    (folder / "wing.yaml").write_text(EXTENSION + "".join(f"    {line}\n" for line in fields.splitlines()))
    return load(str(folder / "wing.yaml"), kinds=KINDS)


TIGHTER: dict[str, tuple[str, object]] = {
    "severity: critical": ("severity", "critical"),
    "on_violation: escalate": ("on_violation", "escalate"),
    "on_violation: refuse": ("on_violation", "refuse"),
    "otherwise: refuse": ("otherwise", "refuse"),
    "on_inconclusive: refuse": ("on_inconclusive", "refuse"),
    "applies_to: [tool_call, answer]": ("applies_to", ("answer", "tool_call")),
    "maps_to: [CWE-200]": ("maps_to", ("CWE-1426", "CWE-200")),
    "text: Answers must not shout.": ("text", "Answers must not shout."),
    "overridable: false": ("overridable", False),
}


@pytest.mark.parametrize("fields", TIGHTER)
def test_an_extension_adds_and_tightens(tmp_path: Path, fields: str) -> None:
    name, value = TIGHTER[fields]
    base, principle = law().principle("no-shouting"), extended(tmp_path, fields).principle("no-shouting")
    assert getattr(principle, name) == value
    untouched = set(Principle.__struct_fields__) - {name, "places", "cases", "checks", "base", "restated"}
    assert all(getattr(principle, other) == getattr(base, other) for other in untouched)


LOOSER = {
    "severity: minor": "6:15: severity of 'no-shouting': 'minor' is less than 'major'",
    "on_violation: note": "6:19: on_violation of 'no-shouting': 'note' is less than 'revise'",
    "on_violation: redact": "6:19: on_violation of 'no-shouting': 'redact' is less than 'revise'",
    "on_inconclusive: note": "6:22: on_inconclusive of 'no-shouting': 'note' is less than 'escalate'",
    "applies_to: [tool_call]": "6:17: applies_to of 'no-shouting': leaves out answer",
    "text: Please do not shout.": "6:11: text of 'no-shouting': another text than the base's",
    "because: I say so.": "6:14: because of 'no-shouting': another text than the base's",
    "critique: Say nothing.": "6:15: critique of 'no-shouting': another text than the base's",
    "revision: Say it louder.": "6:15: revision of 'no-shouting': another text than the base's",
    "overridable: true": "6:18: overridable of 'no-shouting': only the base can open a principle",
    "checks: [{rules: [open]}]": "6:14: checks of 'no-shouting': rules drops the rule public",
    "checks: [{words: {deny: [HEY]}}]": "6:14: checks of 'no-shouting': words drops the word STOP",
}


@pytest.mark.parametrize("fields", LOOSER)
def test_an_extension_may_not_loosen(tmp_path: Path, fields: str) -> None:
    place, base = tmp_path / "wing.yaml", tmp_path / "base.yaml"
    with pytest.raises(ConstitutionError) as caught:
        extended(tmp_path, fields)
    assert str(caught.value) == f"{place}:{LOOSER[fields]}; the base ({base}:5:9) forbids that"


@pytest.mark.parametrize("fields", [fields for fields in LOOSER if "overridable" not in fields])
def test_unless_the_base_lets_it(tmp_path: Path, fields: str) -> None:
    base = changed("severity: major", "severity: major\n    overridable: true")
    assert extended(tmp_path, fields, base).digest != law(base).digest


def test_what_is_stated_of_an_overridable_principle_replaces_the_base(tmp_path: Path) -> None:
    base = changed("severity: major", "severity: major\n    overridable: true")
    fields = "applies_to: [request]\nchecks: [{rules: [open]}]"
    principle = extended(tmp_path, fields, base).principle("no-shouting")
    assert principle.applies_to == ("request",)
    assert [(check.kind, check.settings) for check in principle.checks] == [("rules", ["open"])]


def test_a_lowered_default_is_lowered_too(tmp_path: Path) -> None:
    base = changed("severity: major", "severity: critical").replace("    otherwise: escalate\n", "")
    with pytest.raises(ConstitutionError, match="otherwise of 'no-shouting': 'escalate' is less than 'refuse'"):
        extended(tmp_path, "otherwise: escalate", base)


def test_a_raised_severity_raises_the_defaults(tmp_path: Path) -> None:
    base = LAW.replace("    otherwise: escalate\n    on_inconclusive: escalate\n", "").replace("major", "minor")
    principle = extended(tmp_path, "severity: critical", base).principle("no-shouting")
    assert (principle.otherwise, principle.on_inconclusive) == ("refuse", "escalate")


def test_checks_of_a_new_kind_are_added_and_stricter_ones_take_their_place(tmp_path: Path) -> None:
    fields = "checks: [{judge: {ask: Does it shout?}}, {words: {deny: [HEY, STOP, OI]}}]"
    checks = extended(tmp_path, fields).principle("no-shouting").checks
    assert [(check.kind, check.settings) for check in checks] == [
        ("words", {"deny": ["HEY", "STOP", "OI"]}),
        ("rules", ["public"]),
        ("judge", {"ask": "Does it shout?"}),
    ]


def test_cases_are_added_and_never_replaced(tmp_path: Path) -> None:
    fields = "cases: [{name: new, answer: OI, expect: violated}]"
    cases = extended(tmp_path, fields).principle("no-shouting").cases
    assert [case.name for case in cases] == ["loud", "quiet", "new"]
    with pytest.raises(ConstitutionError, match=r"wing.yaml:6:13: another case of 'no-shouting' is called that"):
        extended(tmp_path, "cases: [{name: loud, answer: HEY, expect: upheld}]")


def test_new_principles_follow_the_bases(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(LAW)
    (tmp_path / "wing.yaml").write_text(EXTENSION.replace("  - id: no-shouting\n", NEW + "  - id: no-shouting\n"))
    ids = [principle.id for principle in load(str(tmp_path / "wing.yaml"), kinds=KINDS).principles]
    assert ids == ["no-shouting", "no-whispering"]


def test_a_slip_in_the_id_of_a_base_principle(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(LAW)
    (tmp_path / "wing.yaml").write_text(EXTENSION.replace("no-shouting", "no-shoutin") + "    severity: critical\n")
    with pytest.raises(ConstitutionError) as caught:
        load(str(tmp_path / "wing.yaml"), kinds=KINDS)
    assert caught.value.what == (
        "principle 'no-shoutin' without 'text', and no base defines it; did you mean 'no-shouting'?"
    )


def two_bases(folder: Path, left: str, right: str) -> Constitution:
    (folder / "base.yaml").write_text(LAW)
    (folder / "left.yaml").write_text(left)
    (folder / "right.yaml").write_text(right)
    (folder / "top.yaml").write_text("name: top\nversion: 1.0.0\nextends: [left.yaml, right.yaml]\n")
    return load(str(folder / "top.yaml"), kinds=KINDS)


def test_a_diamond_is_fine(tmp_path: Path) -> None:
    side = "name: side\nversion: 1.0.0\nextends: [base.yaml]\n"
    other = side + "principles:\n" + NEW
    constitution = two_bases(tmp_path, side, other)
    assert [principle.id for principle in constitution.principles] == ["no-shouting", "no-whispering"]
    assert [case.name for case in constitution.principles[0].cases] == ["loud", "quiet"]


def test_two_bases_that_differ(tmp_path: Path) -> None:
    with pytest.raises(ConstitutionError) as caught:
        two_bases(tmp_path, LAW, changed("severity: major", "severity: critical"))
    assert str(caught.value) == (
        f"{tmp_path}/right.yaml:5:9: principle 'no-shouting' is already defined, differently, at "
        f"{tmp_path}/left.yaml:5:9; rename one of them"
    )


def test_combining_whole_constitutions() -> None:
    one, other = law(), law("name: barn\nversion: 2.0.0\nprinciples:\n" + NEW)
    both = combine([one, other, one])
    assert (both.name, both.version) == ("house+barn+house", "1.0.0+2.0.0+1.0.0")
    assert [principle.id for principle in both.principles] == ["no-shouting", "no-whispering"]
    assert combine([one]) is one
    with pytest.raises(ConstitutionError, match="already defined, differently"):
        combine([one, law(changed("severity: major", "severity: critical"))])
    with pytest.raises(ValueError, match="no constitution"):
        combine([])


def test_escalating_is_no_stricter_than_a_revision_that_is_otherwise_refused(tmp_path: Path) -> None:
    """With it, a person could approve what the base would have refused."""
    base = changed("otherwise: escalate", "otherwise: refuse")
    with pytest.raises(ConstitutionError, match=r"6:19: on_violation of 'no-shouting': a violation that stays would"):
        extended(tmp_path, "on_violation: escalate", base)
    assert extended(tmp_path, "on_violation: refuse", base).principle("no-shouting").last_resort == "refuse"


@pytest.mark.parametrize("when", ["undecided", "always"])
def test_a_judge_may_not_be_added_to_decide_what_the_base_leaves_undecided(tmp_path: Path, when: str) -> None:
    (tmp_path / "wing.yaml").write_text(
        "name: wing\nversion: 1.0.0\nextends: [infrastructure]\nprinciples:\n- id: least-privilege\n"
        f"  checks: [{{judge: {{ask: Is the moon made of cheese?, when: {when}}}}}]\n"
    )
    if when == "always":
        assert len(load(str(tmp_path / "wing.yaml"), kinds=REAL).principle("least-privilege").checks) == 2
    else:
        with pytest.raises(ConstitutionError, match="could decide what the base's checks leave undecided"):
            load(str(tmp_path / "wing.yaml"), kinds=REAL)
