"""Findings as JUnit XML: a suite per file, a case per principle."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from lawspeaker.constitution.schema import Constitution
from lawspeaker.finding import combine
from lawspeaker.report.rows import Row

_TAG = {"violated": "failure", "inconclusive": "error", "not_applicable": "skipped"}
# What XML 1.0 (section 2.2) cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(rows: Sequence[Row], constitution: Constitution) -> str:
    """`rows` must hold every outcome (`all_outcomes=True`), so that a principle without a row was not judged."""
    root = ElementTree.Element("testsuites", name=f"lawspeaker {constitution.name} {constitution.version}")
    for path in dict.fromkeys(row.path for row in rows):
        suite = ElementTree.SubElement(root, "testsuite", name=_clean(path))
        tags = [_case(suite, id, [r for r in rows if (r.path, r.principle) == (path, id)]) for id in _ids(rows, path)]
        suite.attrib |= {
            "tests": str(len(tags)),
            "failures": str(tags.count("failure")),
            "errors": str(tags.count("error")),
            "skipped": str(tags.count("skipped")),
        }
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _ids(rows: Sequence[Row], path: str) -> list[str]:
    return list(dict.fromkeys(row.principle for row in rows if row.path == path))


def _case(suite: ElementTree.Element, principle: str, rows: Sequence[Row]) -> str:
    """Add the case; its tag is empty for a pass."""
    outcome = combine(row.outcome for row in rows)
    case = ElementTree.SubElement(suite, "testcase", classname=suite.attrib["name"], name=principle)
    tag = _TAG.get(outcome, "")
    if tag:
        telling = [row for row in rows if row.outcome == outcome]
        detail = ElementTree.SubElement(case, tag, message=_clean(telling[0].reason))
        detail.text = _clean("\n".join(f"{row.path}:{row.line}: {row.reason} ({row.check})" for row in telling))
    return tag


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
