"""The pages about checks are what the code says."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


def _wanted() -> Mapping[str, str]:
    spec = importlib.util.spec_from_file_location("check_pages", ROOT / "docs" / "check_pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pages: Mapping[str, str] = module.pages()
    return pages


def test_the_pages_about_checks_are_current() -> None:
    there = {page.name: page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "checks").glob("*.md")}
    assert there == dict(_wanted()), "run: python docs/check_pages.py"
