"""The rules of layout, read off the code: layers, cycles, late imports, sizes, broad excepts."""

import ast
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "lawspeaker"
FILES = sorted(SRC.rglob("*.py"))

# module or package -> layer; imports point to the same package or to a lower layer
LAYERS = {
    "errors": 0, "digest": 0, "exchange": 0, "finding": 0, "prompt": 0, "statistics": 0,
    "constitution": 1, "models": 1,
    "checks": 2,
    "deliberation": 3,
    "decision": 4,
    "audit": 5, "metrics": 5,
    "govern": 6, "access": 6, "report": 6,
    "align": 7, "gateway": 7, "suite": 7,
    "cli": 8,
}  # fmt: skip
LONG_FUNCTIONS: set[str] = set()  # exceptions to the limit of 60 lines, by name


def _module(path: Path) -> str:
    parts = ["lawspeaker", *path.relative_to(SRC).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path) for path in FILES}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _unit(module: str) -> str:
    """`lawspeaker.checks.assess` -> `checks`."""
    return module.split(".")[1] if "." in module else ""


def _imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            module = node.module or ""
            if module.startswith("lawspeaker"):
                # `from package import module` is an import of the module, else the cycle test would not see it
                inner = [f"{module}.{name.name}" for name in node.names if f"{module}.{name.name}" in MODULES]
                yield from ((each, node) for each in inner or [module])
        elif isinstance(node, ast.Import):
            yield from ((name.name, node) for name in node.names if name.name.startswith("lawspeaker"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_down(path: Path) -> None:
    unit = path.relative_to(SRC).parts[0].removesuffix(".py")
    if unit == "__init__":
        assert not list(_imports(_tree(path)))
        return
    for module, _ in _imports(_tree(path)):
        other = _unit(module)
        if other and other != unit:
            words = LAYERS[unit] == LAYERS[other] == 0  # words may be made of words; no cycle is tested below
            assert words or LAYERS[other] < LAYERS[unit], f"{unit} (layer {LAYERS[unit]}) imports {module}"


def test_every_unit_has_a_layer() -> None:
    units = {path.relative_to(SRC).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert units == set(LAYERS)


def test_no_module_cycle() -> None:
    graph = {_module(path): {module for module, _ in _imports(_tree(path))} for path in FILES}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for other in graph.get(module, set()):
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_internal_import_hides_in_a_function(path: Path) -> None:
    tree = _tree(path)
    top = set(tree.body)
    late = [module for module, node in _imports(tree) if node not in top]
    assert not late


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_sizes(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in LONG_FUNCTIONS:
            assert (node.end_lineno or 0) - node.lineno + 1 <= 60, node.name


def test_median_file_is_short() -> None:
    assert statistics.median(len(path.read_text(encoding="utf-8").splitlines()) for path in FILES) <= 150


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_module_says_what_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(_tree(path)), "a module needs a docstring"


def test_only_the_boundary_catches_everything() -> None:
    broad = [
        f"{path.relative_to(SRC)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type)
    ]
    assert len(broad) == 1
    assert broad[0].startswith("errors.py")


def _is_broad(kind: ast.expr | None) -> bool:
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(n is None or (isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"}) for n in names)


def test_only_the_command_line_starts_a_loop() -> None:
    starts = [path for path in FILES if "asyncio.run(" in path.read_text(encoding="utf-8")]
    assert all(path.relative_to(SRC).parts[0] == "cli" for path in starts)


def test_root_is_small() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len({line.split("/")[0] for line in listed.splitlines()}) <= 16
