"""`lint`, `show`, `test`, a judge in `check`, and a key of one's own in `audit verify`."""

import json
from pathlib import Path

import msgspec

from tests.cli.conftest import Run

LAW = """name: t
version: 1.0.0
principles:
- id: polite
  text: Answers must be polite.
  because: Rude answers lose customers.
  severity: minor
  on_violation: note
  on_inconclusive: escalate
  checks: [{judge: {ask: Is it rude?}}]
  cases:
  - {name: rude, answer: Go away., expect: violated}
  - {name: kind, answer: You are welcome., expect: upheld}
- id: no-x
  text: The letter x must not be used.
  because: It is ours.
  severity: major
  revision: Leave it out.
  checks: [{pattern: {deny: x, reason: It holds an x.}}]
  cases:
  - {name: an x, answer: extra, expect: violated, decision: escalate}
  - {name: no x, answer: none, expect: upheld}
"""


def _judge(work: Path, *replies: str) -> str:
    (work / "judge.json").write_bytes(msgspec.json.encode([{"reply": reply, "again": True} for reply in replies]))
    return "scripted:judge.json"


def test_bundled_laws_are_clean(cli: Run) -> None:
    for name in ("infrastructure", "data-protection"):
        assert cli("lint", name).returncode == 0
        done = cli("test", "--constitution", name, "--format", "json")
        out = json.loads(done.stdout)
        assert done.returncode == 0
        assert out["cases"]
        assert {case["verdict"] for case in out["cases"]} == {"passed"}
        assert out["coverage"]["untested"] == []


def test_lint_names_the_place(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(LAW.replace("  because: It is ours.\n", ""))
    done = cli("lint")
    assert done.returncode == 1
    assert done.stdout.startswith("constitution.yaml:")
    assert "because" in done.stdout
    messages = json.loads(cli("lint", "--json").stdout)["messages"]
    assert all({"rule", "path", "line", "column", "message"} == set(message) for message in messages)


def test_cases_of_a_judge_are_skipped_without_one(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(LAW)
    out = json.loads(cli("test", "--format", "json").stdout)
    verdicts = {case["case"]: case["verdict"] for case in out["cases"]}
    assert verdicts == {"rude": "skipped", "kind": "skipped", "an x": "passed", "no x": "passed"}
    judged = cli("test", "--judge", _judge(work, "Yes: it is."))
    assert judged.returncode == 1
    assert "failed polite kind" in judged.stdout


def test_a_failing_case_is_told(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(LAW.replace("answer: none", "answer: next"))
    done = cli("test")
    assert done.returncode == 1
    assert "failed no-x no x\n  expected upheld; came out violated" in done.stdout


def test_a_judges_words_stay_out_of_reports(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(LAW.replace("on_violation: note", "on_violation: escalate"))
    for form in ("text", "json", "sarif", "junit"):
        done = cli("check", "-", "--judge", _judge(work, "Yes: it says hunter2."), "--format", form, stdin="go")
        assert done.returncode == 1
        assert "hunter2" not in done.stdout
    assert cli("check", "-", "--judge", _judge(work, "No: fine."), stdin="go").returncode == 0
    assert cli("check", "-", "--judge", _judge(work, "Maybe."), stdin="go").returncode == 3
    assert cli("check", "-", stdin="go").returncode == 3


def test_show(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(LAW)
    assert "no-x major" in cli("show").stdout
    law = json.loads(cli("show", "--json").stdout)
    assert [principle["id"] for principle in law["principles"]] == ["polite", "no-x"]
    schema = json.loads(cli("show", "--schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_laws_can_be_combined(cli: Run, work: Path) -> None:
    (work / "t.yaml").write_text(LAW)
    done = cli("show", "--json", "--constitution", "data-protection", "--constitution", "t.yaml")
    ids = [principle["id"] for principle in json.loads(done.stdout)["principles"]]
    assert ids[-2:] == ["polite", "no-x"]
    assert "no-leaked-credentials" in ids


def test_verify_with_a_key_of_ones_own(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(LAW)
    (work / "m.json").write_bytes(msgspec.json.encode([{"reply": "none", "again": True}]))
    assert cli("ask", "--model", "scripted:m.json", "--judge", _judge(work, "No: fine."), "hello").returncode == 0
    key = work / ".lawspeaker" / "keys" / "log.vkey"
    kept = cli("audit", "verify", "--key", key.read_text().strip())
    assert kept.returncode == 0
    assert "Integrity only" not in kept.stderr
    assert cli("audit", "verify", "--key", str(key)).returncode == 0
    wrong = cli("audit", "verify", "--key", "example.org+f00ba4+AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")
    assert (wrong.returncode, wrong.stdout, "Traceback" in wrong.stderr) == (2, "", False)
    (work / "elsewhere").mkdir()
    elsewhere = cli("ask", "--model", "scripted:m.json", "--constitution", "data-protection", "hi", home="elsewhere")
    assert elsewhere.returncode == 0
    stranger = cli("audit", "verify", "--key", "elsewhere/keys/log.vkey")
    assert (stranger.returncode, "not signed" in stranger.stdout) == (1, True)


def test_diff_says_what_the_law_demands_now(cli: Run, work: Path) -> None:
    (work / "old.yaml").write_text(LAW)
    (work / "new.yaml").write_text("# same\n" + LAW.replace("severity: minor", "severity: major"))
    tighter = cli("diff", "old.yaml", "new.yaml")
    assert tighter.returncode == 0
    assert "+ tightens polite severity is major, was minor" in tighter.stdout
    assert "1.1.0 (minor); 1.0.0 is too low" in tighter.stderr
    assert cli("diff", "old.yaml", "new.yaml", "--fail-on", "version").returncode == 1
    assert cli("diff", "old.yaml", "new.yaml", "--fail-on", "loosens").returncode == 0
    looser = cli("diff", "new.yaml", "old.yaml", "--json", "--fail-on", "loosens")
    assert looser.returncode == 1
    out = json.loads(looser.stdout)
    assert (out["effect"], out["bump"], out["version"], out["version_follows"]) == ("loosens", "major", "2.0.0", False)
    same = cli("diff", "old.yaml", "old.yaml")
    assert (same.returncode, same.stdout) == (0, "")
    assert cli("diff", "old.yaml", "none.yaml").returncode == 2


def test_lint_fixes_and_speaks_sarif(cli: Run, work: Path) -> None:
    law = work / "constitution.yaml"
    two_alike = LAW.replace("must not be used.", "must not be used").replace("must be polite.", "must be polite")
    law.write_text("# ours\n" + two_alike)
    log = json.loads(cli("lint", "--format", "sarif").stdout)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert [result["ruleId"] for result in run["results"]].count("wording/no-full-stop") == 2
    prints = [result["partialFingerprints"]["lawspeaker/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)  # the same message in two places is two alerts
    done = cli("lint", "--fix")
    assert "2 faults fixed in constitution.yaml" in done.stderr
    assert law.read_text() == "# ours\n" + LAW
    assert cli("lint", "infrastructure", "--fix").returncode == 0


def test_a_withdrawn_id_is_refused(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(
        LAW.replace("  severity: major\n", "  severity: major\n  maps_to: [CWE-592]\n")
    )
    done = cli("lint")
    assert (done.returncode, done.stdout) == (2, "")
    assert "constitution.yaml:" in done.stderr
    assert "CWE-592 was withdrawn from its catalogue; CWE-287 took its place" in done.stderr


def test_principles_are_adopted(cli: Run, work: Path) -> None:
    (work / "Our Rules.txt").write_text("1. Answers must be quiet.\n2. Answers must be short.\n")
    done = cli("adopt", "Our Rules.txt")
    assert (done.returncode, "2 principles imported" in done.stderr) == (0, True)
    (work / "constitution.yaml").write_text(done.stdout)
    assert [p["id"] for p in json.loads(cli("show", "--json").stdout)["principles"]] == [
        "answers-must-be-quiet",
        "answers-must-be-short",
    ]
    assert cli("adopt", "none.txt").returncode == 2


def test_show_as_a_page(cli: Run, work: Path) -> None:
    (work / "constitution.yaml").write_text(
        LAW.replace("  severity: major\n", "  severity: major\n  maps_to: [CWE-732]\n").replace("extra", "x <script>")
    )
    assert "CWE-732 Incorrect Permission Assignment" in cli("show").stdout
    assert cli("show", "--html", "page.html").returncode == 0
    text = (work / "page.html").read_text()
    assert "<dt>CWE-732: Incorrect Permission Assignment for Critical Resource</dt><dd>no-x</dd>" in text
    assert "<script" not in text
    assert cli("show", "--html", "none/page.html").returncode == 2


def test_explain(cli: Run, work: Path) -> None:
    assert "Missing Authorization" in cli("explain", "cwe-862").stdout
    assert "approval-before-irreversible (agents)" in cli("explain", "CWE-862").stdout
    assert "`because` is missing" in cli("explain", "wording/no-reason").stdout
    assert "A violation means: escalate" in cli("explain", "spending-limits").stdout
    withdrawn, unknown = cli("explain", "CWE-592"), cli("explain", "no-such-thing")
    assert (withdrawn.returncode, "CWE-287 took its place" in withdrawn.stderr) == (2, True)
    nowhere = cli("explain", "CWE-365")
    assert (nowhere.returncode, "CWE-365 was withdrawn from its catalogue\n" in nowhere.stderr) == (2, True)
    assert (unknown.returncode, unknown.stdout) == (2, "")
