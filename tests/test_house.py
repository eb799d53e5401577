"""The house in order: who imports whom, which names are public, what the README and the examples say."""

import ast
import re
from pathlib import Path

import pytest

import assistant
from tests.paths import ROOT

OURS = "assistant"

# Who may import whom. The parts of the package by name: a folder, or a module beside the folders. Everybody may
# import CORE; nothing imports in a circle, and arrows point from the page down to the network.
CORE = {"events", "errors", "messages", "threads", "settings", "run_stats", "locale"}
MAY_IMPORT: dict[str, set[str]] = {
    "locale": set(),
    "events": {"locale"},
    "run_stats": {"events"},
    "errors": {"events", "locale"},
    "messages": {"events", "locale", "run_stats"},
    "threads": {"events", "messages"},
    # Settings are checked by those who know what they mean; these modules are pure.
    "settings": {"access", "errors", "locale", "recordings", "tools", "transports"},
    "attachments": {"locale", "messages"},
    "markdown": set(),
    "recordings": {"transports"},
    "transports": {"events", "recordings"},
    "demo": set(),
    "tools": CORE | {"attachments", "recordings", "transports"},
    "functions": {"ToolError", "tool"},
    "backends": CORE | {"demo", "recordings", "tools", "transports"},
    "storage": CORE | {"attachments", "tools"},
    "access": CORE | {"recordings", "storage"},
    "observability": CORE,
    "runs": CORE | {"backends", "recordings", "storage", "tools", "transports"},
    "codegen": CORE | {"recordings", "runs", "tools", "transports"},
    "terminal": CORE | {"backends", "functions", "recordings", "runs", "tools", "transports"},
    "__main__": {"terminal"},
    "__init__": {"errors", "runs", "threads", "tools"},
    "ui": CORE
    | {
        "access",
        "attachments",
        "backends",
        "codegen",
        "demo",
        "markdown",
        "observability",
        "recordings",
        "runs",
        "storage",
        "tools",
        "transports",
    },
}
# Libraries that are imported in one place.
HOMES = {
    "openai": {"backends"},
    "streamlit": {"ui"},
    "sqlalchemy": {"access", "storage"},
    "httpx2": {"backends", "demo", "functions", "recordings", "transports"},
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
            names = [[*origin, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            found.add((name[0], name[1] if name[0] == OURS and len(name) > 1 else ""))
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_place_in_the_house_allows(path: Path) -> None:
    part = part_of(path)
    for package, inside in imports(path):
        if package == OURS and inside not in (part, ""):
            assert inside in MAY_IMPORT[part], f"{part} must not import {inside}"
        if package in HOMES:
            assert part in HOMES[package], f"{part} must not import {package}"


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
