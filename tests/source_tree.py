"""The project's source as syntax trees: its modules, what they import, the names that they define."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.paths import ROOT

PACKAGE = ROOT / "assistant"
PAGE = ROOT / "streamlit_app.py"
TESTS = ROOT / "tests"


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def folders() -> list[Path]:
    return sorted({path.parent for path in modules()})


def children(folder: Path) -> set[str]:
    """Return the names of the modules that lie directly in a folder."""
    return {path.stem for path in folder.glob("*.py")} - {"__init__"}


def dotted(path: Path) -> str:
    """Return the name that a module is imported by."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def dotted_modules() -> frozenset[str]:
    return frozenset(map(dotted, modules()))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(tree(path)))


@cache
def imported_names(path: Path) -> frozenset[str]:
    """Return what a file imports, with full dotted names: ``assistant.events.RunCompleted``."""
    found: set[str] = set()
    package = list(path.relative_to(ROOT).parent.parts)
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join(base + ([node.module] if node.module else []))
            found.update(f"{origin}.{alias.name}" for alias in node.names)
    return frozenset(found)


@cache
def imported_modules(path: Path) -> frozenset[str]:
    """Return the modules of the package that a file imports from."""
    found: set[str] = set()
    for name in imported_names(path):
        while name and name not in dotted_modules():
            name = name.rpartition(".")[0]
        if name:
            found.add(name)
    return frozenset(found)


def part_of(module: str) -> str:
    """Return the part that a module belongs to: a folder, or a module beside the folders."""
    _, _, inside = module.partition(".")
    return inside.partition(".")[0] or "__init__"


@cache
def defined_names(path: Path) -> frozenset[str]:
    """Return every name that a file gives to something: functions, classes, arguments, variables, attributes."""
    return frozenset(_defined_names(path))


def _defined_names(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def words_of(name: str) -> list[str]:
    """Split an identifier into lower-case words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def private_uses(path: Path) -> Iterator[str]:
    """Yield where a file uses a private name that it does not define itself."""
    own = defined_names(path)
    for node in nodes(path):
        if isinstance(node, ast.Attribute):
            on_self = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if is_private(node.attr) and node.attr not in own and not on_self:
                yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"import {alias.name}" for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Call) and _called(node) in ("setattr", "getattr", "delattr"):
            names = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
            if any(isinstance(name, str) and is_private(name.rpartition(".")[2]) for name in names):
                yield ast.unparse(node)


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]
