"""The house in order: who imports whom, which names are public, what the README and the examples say."""

import ast
import re
from pathlib import Path

import pytest

import assistant

ROOT = Path(__file__).parent.parent
OURS = "assistant"

# A module, or a folder of them, and what of ours it may import. ``assistant`` itself is the façade.
MAY_IMPORT = {
    "events": set(),
    "errors": {"events"},
    "hosted": {"events", "wire"},
    "settings": {"access", "errors", "hosted", "limits", "wire"},
    "access": set(),
    "limits": set(),
    "ledger": {"limits", "store", "tables"},
    "meter": {"events", "messages", "threads"},
    "schema": {"errors"},
    "tools": {"errors", "schema"},
    "execute": {"errors", "events", "progress", "tools", "views"},
    "view_checks": set(),
    "view_tables": set(),
    "views": {"events", "view_checks", "view_tables"},
    "progress": set(),
    "effort": {"events"},
    "messages": {"effort", "events"},
    "attachments": {"messages"},
    "threads": {"events", "messages"},
    "transcript": {"effort", "events", "messages", "threads"},
    "tables": set(),
    "store": {"errors", "events", "messages", "tables", "threads", "transcript"},
    "keeper": {"errors", "store", "threads"},
    "export": {"attachments", "events", "execute", "messages", "threads", "transcript"},
    "run": {"errors", "events", "execute", "messages", "threads", "tools"},
    "live": {"events", "run", "threads"},
    "live_runs": {"errors", "events", "live", "threads"},
    "backends": {
        "errors",
        "events",
        "execute",
        "hosted",
        "messages",
        "settings",
        "threads",
        "tools",
        "views",
        "wire",
    },
    "wire": set(),
    "faults": {"tools", "wire"},
    "replay": {"backends", "errors", "events", "execute", "run", "settings", "tools", "wire"},
    "as_test": {"messages", "replay", "threads", "wire"},
    "metrics": set(),
    "logs": {"events", "metrics", "threads"},
    "lint": {"schema", "tools"},
    "sources": {"tools"},
    "script": {"lint", "messages", "schema", "script_functions", "settings", "tools"},
    "script_functions": {"sources", "tools"},
    "terminal": {
        "faults",
        "backends",
        "errors",
        "events",
        "functions",
        "replay",
        "run",
        "settings",
        "threads",
        "tools",
        "wire",
    },
    "__main__": {"terminal"},
    "functions": {"assistant"},
    "ui": {
        "access",
        "as_test",
        "ledger",
        "limits",
        "meter",
        "attachments",
        "faults",
        "lint",
        "replay",
        "script",
        "wire",
        "backends",
        "settings",
        "effort",
        "errors",
        "events",
        "execute",
        "export",
        "hosted",
        "keeper",
        "live",
        "live_runs",
        "logs",
        "messages",
        "metrics",
        "run",
        "store",
        "threads",
        "tools",
        "view_checks",
    },
    "__init__": {"errors", "progress", "run", "threads", "tools", "views"},
}
# Packages with one place: nobody else may import them.
AT_HOME = {
    "openai": {"backends"},
    "streamlit": {"ui"},
    "sqlalchemy": {"ledger", "store", "tables"},
    "httpx2": {"backends", "wire", "functions"},
}


def modules() -> list[Path]:
    return sorted((ROOT / OURS).rglob("*.py"))


def part_of(path: Path) -> str:
    """The module's name, or its folder's where it lives in one."""
    inside = path.relative_to(ROOT / OURS)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def imports(path: Path) -> set[tuple[str, str]]:
    """What a file imports: (top-level package, part of ours or "")."""
    package = list(path.relative_to(ROOT).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = base + (node.module.split(".") if node.module else [])
            # "from . import x" names a module of the package, "from .x import y" is in x already
            names = [[*origin, alias.name] for alias in node.names] if origin == base else [origin]
        else:
            continue
        for name in names:
            inside = name[1] if name[0] == OURS and len(name) > 1 else ""
            found.add((name[0], inside or (OURS if name[0] == OURS else "")))
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_place_in_the_house_allows(path: Path) -> None:
    part = part_of(path)
    for package, inside in imports(path):
        if package == OURS and inside != part:
            assert inside in MAY_IMPORT[part], f"{part} must not import {inside}"
        if package in AT_HOME:
            assert part in AT_HOME[package], f"{part} must not import {package}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "a module begins with its docstring"


def test_the_public_names_are_these() -> None:
    assert assistant.__all__ == [
        "Assistant",
        "AssistantError",
        "Chart",
        "Diagram",
        "File",
        "Map",
        "SettingsError",
        "Thread",
        "Tool",
        "ToolError",
        "Toolbox",
        "progress",
        "tool",
    ]
    assert all(getattr(assistant, name).__doc__ for name in assistant.__all__)


def test_the_readme_names_every_setting() -> None:
    from assistant.settings import VARIABLES

    table = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert table == list(VARIABLES)


def test_the_readmes_test_command_is_the_one_that_ci_runs() -> None:
    commands = re.findall(r"^.*-m pytest$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python -m pytest"
    ]
