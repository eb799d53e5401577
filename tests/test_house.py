"""The structure of the project, read from its source: imports, folders, names, and the README."""

import ast
import re
from collections import defaultdict
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import assistant
from tests.paths import ROOT
from tests.source_tree import (
    PACKAGE,
    PAGE,
    TESTS,
    children,
    defined_names,
    dotted,
    dotted_modules,
    folders,
    imported_modules,
    imported_names,
    modules,
    nodes,
    part_of,
    private_uses,
    relative,
    tree,
    words_of,
)

# What each part may import. A part is a folder, or a module beside the folders.
CORE = {
    *("events", "errors", "messages", "parts", "threads", "settings", "locale"),
    *("json_values", "request_options", "tagged_union", "texts"),
}
MAY_IMPORT: dict[str, set[str]] = {
    "locale": set(),
    "events": {"locale"},
    "json_values": set(),
    "texts": set(),
    "errors": {"events", "locale"},
    "tagged_union": set(),
    "parts": {"events", "tagged_union", "texts"},
    "messages": {"events", "parts", "tagged_union", "texts"},
    "request_options": {"json_values", "locale", "texts"},
    "threads": {"events", "messages", "parts", "request_options"},
    # Settings are checked by the modules that know what they mean.
    "settings": {"access", "errors", "locale", "recordings", "request_options", "setting_parsers"},
    "setting_parsers": {"access", "errors", "locale", "recordings", "tools", "transports"},
    "uploads": {"locale", "parts", "texts"},
    "markdown": set(),
    "recordings": {"events", "json_values", "locale", "texts"},
    "transports": {"events", "json_values", "locale", "recordings"},
    "demo": set(),
    "tools": CORE | {"uploads", "recordings", "transports"},
    "functions": {"ToolError", "progress", "tool"},
    "backends": CORE | {"demo", "recordings", "tools", "transports"},
    "storage": CORE | {"uploads", "tools"},
    "access": CORE | {"recordings", "storage"},
    "observability": CORE,
    "runs": CORE | {"backends", "recordings", "storage", "tools", "transports"},
    "codegen": CORE | {"recordings", "runs", "tools", "transports"},
    "cli": CORE
    | {
        *("access", "backends", "demo", "functions", "observability", "recordings", "runs", "storage"),
        *("tools", "transports"),
    },
    "__main__": {"cli"},
    "__init__": {"errors", "runs", "threads", "tools"},
    "application": CORE
    | {
        "access",
        "backends",
        "demo",
        "functions",
        "observability",
        "recordings",
        "runs",
        "storage",
        "tools",
        "transports",
    },
    "session": CORE
    | {
        "observability",
        "access",
        "application",
        "uploads",
        "backends",
        "recordings",
        "runs",
        "storage",
        "tools",
        "transports",
    },
    "ui": CORE
    | {
        "access",
        "application",
        "uploads",
        "backends",
        "codegen",
        "demo",
        "markdown",
        "observability",
        "recordings",
        "runs",
        "session",
        "storage",
        "tools",
        "transports",
    },
}
# The parts that may import a library.
LIBRARIES = {
    "openai": {"backends"},
    "starlette": {"demo"},
    "uvicorn": {"demo"},
    "streamlit": {"ui"},
    "genai_prices": {"recordings"},
    "babel": {"locale"},
    "sqlalchemy": {"access", "storage"},
    "httpx2": {"backends", "demo", "functions", "recordings", "transports"},
}

MAX_MODULES = 15
"""Modules in a folder, without ``__init__``: about ten."""

# What Streamlit documents. Everything else of it is used in one file.
DOCUMENTED_STREAMLIT = {"streamlit", "streamlit.delta_generator", "streamlit.errors", "streamlit.typing"}
PRIVATE_STREAMLIT = "assistant/ui/streamlit_private.py"


def listed(text: str) -> set[str]:
    return set(text.split())


# Retired vocabulary: words that no name consists of, and words that no name contains.
RETIRED_NAMES = listed(
    "asked desk given heard hearing in_words is_there kept made of owed rest said take tell told unheard"
)
RETIRED_WORDS = listed(
    "clerk door hearing keeper ledger metered nobody owed prose restless retell retold shelf somebody tape told "
    "unheard wallet whoever workbench"
)

# What is not true yet. Each of these sets may only shrink.
NOT_YET_SMALL: set[str] = set()
NOT_YET_UNIQUE = listed("events ")


# --- imports ----------------------------------------------------------------------------------------


def test_a_module_imports_only_what_its_place_allows() -> None:
    wrong = []
    for path in modules():
        part = part_of(dotted(path))
        for module in imported_modules(path):
            if (other := part_of(module)) not in (part, "__init__") and other not in MAY_IMPORT[part]:
                wrong.append(f"{relative(path)} must not import {module}")
        for name in imported_names(path):
            if part not in LIBRARIES.get(name.partition(".")[0], {part}):
                wrong.append(f"{relative(path)} must not import {name}")
    assert wrong == []


def test_only_the_functions_import_the_package_itself() -> None:
    importers = {part_of(dotted(path)) for path in modules() if "assistant" in imported_modules(path)}
    assert importers <= {"functions", "codegen"}


def test_imports_do_not_go_in_circles() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for path in modules():
        part = part_of(dotted(path))
        graph[part] |= {part_of(module) for module in imported_modules(path)} - {part, "__init__"}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_undocumented_streamlit_is_used_in_one_file() -> None:
    wrong = []
    for path in [PAGE, *modules()]:
        if relative(path) == PRIVATE_STREAMLIT:
            continue
        origins = {name.rpartition(".")[0] or name for name in imported_names(path)}
        undocumented = {name for name in origins if name.startswith("streamlit")} - DOCUMENTED_STREAMLIT
        private = {use for use in private_uses(path) if re.match(r"(st|streamlit)\.", use)}
        wrong += [f"{relative(path)}: {use}" for use in sorted(undocumented | private)]
    assert wrong == []


# --- folders ----------------------------------------------------------------------------------------


def test_a_folder_is_small() -> None:
    large = {relative(folder) for folder in folders() if len(children(folder)) > MAX_MODULES}
    assert large <= NOT_YET_SMALL


@pytest.mark.parametrize("folder", [each for each in folders() if each != PACKAGE], ids=relative)
def test_a_folder_names_exactly_the_modules_that_others_import(folder: Path) -> None:
    init = folder / "__init__.py"
    outside = [path for path in [PAGE, *modules()] if folder not in path.parents]
    imported = {module for path in outside for module in imported_modules(path)}
    used = {name for name in children(folder) if f"{dotted(init)}.{name}" in imported}
    docstring = ast.get_docstring(tree(init)) or ""
    named = children(folder) & set(re.findall(r"``(\w+)``", docstring))
    assert named == used


def test_a_file_name_occurs_once_unless_its_folder_tells_it_apart() -> None:
    by_name = defaultdict(list)
    for path in modules():
        if path.name != "__init__.py":
            by_name[path.stem].append(path)
    unclear = {
        name
        for name, paths in by_name.items()
        for path in paths
        for other in paths
        if path != other and other.parent in path.parents
    }
    assert unclear <= NOT_YET_UNIQUE


def test_every_module_has_a_docstring() -> None:
    assert [relative(path) for path in modules() if not ast.get_docstring(tree(path))] == []


def test_the_page_is_short_and_its_functions_read_no_module_state() -> None:
    page = tree(PAGE)
    functions = [node for node in ast.walk(page) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    names = {
        name.id
        for node in page.body
        if not isinstance(node, ast.FunctionDef)
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }
    read = {name.id for function in functions for name in ast.walk(function) if isinstance(name, ast.Name)}
    lines = len(PAGE.read_text("utf-8").splitlines())
    assert (sorted(names & read), lines < 150) == ([], True)


# --- names ------------------------------------------------------------------------------------------


def test_no_name_is_of_the_retired_vocabulary() -> None:
    wrong = defaultdict(set)
    for path in [PAGE, *modules(), *TESTS.rglob("*.py")]:
        for name in defined_names(path):
            retired = (RETIRED_NAMES & {name.lower().strip("_")}) | (RETIRED_WORDS & set(words_of(name)))
            for word in retired:
                wrong[word].add(f"{relative(path)}: {name}")
    assert wrong == {}


def test_no_test_uses_private_names_of_other_modules() -> None:
    wrong = [f"{relative(path)}: {use}" for path in sorted(TESTS.rglob("*.py")) for use in private_uses(path)]
    assert wrong == []


def test_the_scripts_in_strings_import_what_exists() -> None:
    missing = []
    for path in TESTS.rglob("*.py"):
        for node in nodes(path):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            for module, names in re.findall(r"^from (assistant[\w.]*) import ([\w, ]+)$", text, re.MULTILINE):
                known = {
                    *vars(import_module(module)),
                    *(name.rpartition(".")[2] for name in dotted_modules()),
                }
                missing += [f"{relative(path)}: {name}" for name in names.split(", ") if name not in known]
    assert missing == []


# --- what the package and the README say ------------------------------------------------------------


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
    from tests.environment import VARIABLES

    table = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert table == list(VARIABLES)


def test_the_readmes_test_command_is_the_one_that_ci_runs() -> None:
    commands = re.findall(r"^.*-m pytest$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == [
        "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python -m pytest"
    ]
