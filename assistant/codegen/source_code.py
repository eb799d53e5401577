"""Collect the source of a function and of everything in its module that it uses.

The code is read, not run. A function that uses other files of the project, or a name that the module sets
in an unclear way, is refused with the reason.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from assistant.tools.toolbox import Tool

_OUR_PACKAGE = __name__.partition(".")[0]


class Import(NamedTuple):
    """``import module``, or ``from module import name``, and the alias after ``as``."""

    module: str
    name: str = ""
    alias: str = ""

    def __str__(self) -> str:
        """Return the import statement."""
        statement = f"from {self.module} import {self.name}" if self.name else f"import {self.module}"
        return f"{statement} as {self.alias}" if self.alias else statement


class Definition(NamedTuple):
    """A top-level statement of a module: its place and text."""

    module: str
    line: int
    text: str


class NotSelfContained(Exception):
    """A function cannot be copied into a script; the text is the reason."""


def collect_source(tool: Tool[..., Any]) -> dict[str, Import | Definition]:
    """Return what a script needs to contain this function: each name with its import or definition.

    ``ToolError`` is not included.

    Raises:
        NotSelfContained: The function uses something that cannot be copied.
    """
    function = tool.function
    code = getattr(function, "__code__", None)
    module = sys.modules.get(function.__module__)
    try:
        text = inspect.getsource(module) if module else ""
        source = _ModuleSource(function.__module__, text, ast.parse(text), frozenset(vars(module)))
    except (OSError, TypeError, SyntaxError, ValueError) as error:
        raise NotSelfContained("its source is not available") from error
    first_lines = [
        min(node.lineno for node in (statement, *statement.decorator_list))
        for statement in source.statements_for(tool.name)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    if code is None or first_lines != [code.co_firstlineno]:
        raise NotSelfContained("it is not a plain function at the top level of a module")
    names: dict[str, Import | Definition] = {}
    pending = [tool.name]
    while pending:
        name = pending.pop()
        if name not in names and (found := source.find(name)):
            names[name], used = found
            pending += sorted(used)
    if (found := source.find("annotations")) and found[0] == Import("__future__", "annotations"):
        names["annotations"] = found[0]
    return names


@dataclass(frozen=True, slots=True)
class _ModuleSource:
    """A module's source; ``names`` are those it has after its import."""

    module: str
    text: str
    tree: ast.Module
    names: frozenset[str]

    def statements_for(self, name: str) -> list[ast.stmt]:
        """Return the top-level statements that bind or change the name."""
        return [statement for statement in self.tree.body if name in _bound_names(statement)]

    def find(self, name: str) -> tuple[Import | Definition, set[str]] | None:
        """Return what binds a name, and the names which that uses; None if the module does not bind it.

        Raises:
            NotSelfContained: The name cannot be copied.
        """
        match self.statements_for(name):
            case []:
                if name in self.names and name != "__name__":
                    raise NotSelfContained(f"it needs {name}, which no statement of its module defines")
                return None
            case [ast.Import() | ast.ImportFrom() as statement]:
                imported = self._import(statement, name)
                return (imported, set()) if imported else None
            case [statement] if isinstance(statement, _DEFINITIONS):
                return self._definition(statement)
            case _:
                raise NotSelfContained(f"it needs {name}, which several statements of its module change")

    def _import(self, statement: ast.Import | ast.ImportFrom, bound: str) -> Import | None:
        """Return the import that binds a name; None for ``ToolError``."""
        alias = next(alias for alias in statement.names if _bound_name(alias) == bound)
        level = statement.level if isinstance(statement, ast.ImportFrom) else 0
        module = (statement.module or "") if isinstance(statement, ast.ImportFrom) else alias.name
        package = module.partition(".")[0]
        if level or package == _OUR_PACKAGE or not _is_installed(package):
            if alias.name == bound == "ToolError":
                return None
            raise NotSelfContained(f"it needs {'.' * level}{module or alias.name} of this project")
        if isinstance(statement, ast.Import):
            return Import(module, "", alias.asname or "")
        return Import(module, alias.name, alias.asname or "")

    def _definition(self, statement: ast.stmt) -> tuple[Definition, set[str]]:
        imports = [node for node in ast.walk(statement) if isinstance(node, ast.Import | ast.ImportFrom)]
        if not all(self._import(node, _bound_name(alias)) for node in imports for alias in node.names):
            raise NotSelfContained("it imports ToolError inside a function")
        lines = [ast.get_source_segment(self.text, statement) or ""]
        if isinstance(statement, _BLOCKS):
            statement.decorator_list = [node for node in statement.decorator_list if not _is_tool(node)]
            segments = (ast.get_source_segment(self.text, node) for node in statement.decorator_list)
            lines = [*(f"@{segment}" for segment in segments), *lines]
        return Definition(self.module, statement.lineno, "\n".join(lines)), set(_used_names(statement))


def _is_tool(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(target) in ("tool", f"{_OUR_PACKAGE}.tool")


_TYPE_ALIAS: Any = getattr(ast, "TypeAlias", ast.AnnAssign)  # since Python 3.12
_BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DEFINITIONS = (*_BLOCKS, ast.Assign, ast.AnnAssign, _TYPE_ALIAS)


def _bound_names(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement binds, or may change."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {_bound_name(alias) for alias in aliases}
        case ast.Assign(targets=targets):
            return {name for target in targets for name in _plain_names(target)}
        case ast.AnnAssign(target=ast.Name(id=name)) | _TYPE_ALIAS(name=ast.Name(id=name)):
            return {name}
        case ast.Expr(value=ast.Constant()):
            return set()
        case _:
            return set(_plain_names(statement))


def _is_installed(package: str) -> bool:
    """Return whether the package is in the standard library or in site-packages."""
    module = sys.modules.get(package)
    paths = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
    return package in sys.stdlib_module_names or any(
        re.search(r"\b(site|dist)-packages\b", path) for path in paths
    )


def _bound_name(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _plain_names(node: ast.AST) -> Iterator[str]:
    return (child.id for child in ast.walk(node) if isinstance(child, ast.Name))


def _used_names(node: ast.AST) -> Iterator[str]:
    """Yield the names in a node, and in its annotations that are strings."""
    yield from _plain_names(node)
    for child in ast.walk(node):
        for hint in (getattr(child, "annotation", None), getattr(child, "returns", None)):
            if isinstance(hint, ast.Constant) and isinstance(hint.value, str):
                yield from _used_names(ast.parse(hint.value, mode="eval"))
