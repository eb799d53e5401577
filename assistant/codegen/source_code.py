"""The source of a function with all it needs of its module, to be put into a script of its own.

Not here: the script (``script.py``). Nothing is run or imported: it is read.

The one rule: what is given is whole. A function that needs something that cannot be taken along (another
file of its package, a name that is made while its module is imported) is refused, by the name of that.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from assistant.tools.toolbox import Tool

_OURS = __name__.partition(".")[0]


class Import(NamedTuple):
    """A name that is imported: ``import module``, or ``from module import name``, and ``as`` what."""

    module: str
    name: str = ""
    alias: str = ""


class Definition(NamedTuple):
    """One statement at the top of a module: where it stands, and its text."""

    module: str
    line: int
    text: str


class NotAlone(Exception):
    """A function needs what cannot be taken along; the text says what, as "it needs …"."""


def source_of(tool: Tool[..., Any]) -> dict[str, Import | Definition]:
    """What a script needs to have this function: each name with what it stands for, the function's first.

    The exception ``ToolError`` is used in it without being among them.

    Raises:
        NotAlone: There is something that cannot be taken along.
    """
    function = tool.function
    code = getattr(function, "__code__", None)
    module = sys.modules.get(function.__module__)
    try:
        text = inspect.getsource(module) if module else ""
        page = _Page(function.__module__, text, ast.parse(text), frozenset(vars(module)))
    except (OSError, TypeError, SyntaxError, ValueError) as error:
        raise NotAlone("its source cannot be read") from error
    first_lines = [
        min(each.lineno for each in (node, *node.decorator_list))
        for node in page.bound_by(tool.name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    if code is None or first_lines != [code.co_firstlineno]:
        raise NotAlone("it is not a plain function at the top of a file")
    names: dict[str, Import | Definition] = {}
    todo = [tool.name]
    while todo:
        name = todo.pop()
        if name not in names and (found := page.find(name)):
            names[name], more = found
            todo += sorted(more)
    if (found := page.find("annotations")) and found[0] == Import("__future__", "annotations"):
        names["annotations"] = found[0]
    return names


@dataclass(frozen=True, slots=True)
class _Page:
    """A module as it is written; ``made`` are the names that it had once it was imported."""

    name: str
    text: str
    tree: ast.Module
    made: frozenset[str]

    def bound_by(self, name: str) -> list[ast.stmt]:
        """The statements at the top that give the name its value, or change it."""
        return [statement for statement in self.tree.body if name in _bound(statement)]

    def find(self, name: str) -> tuple[Import | Definition, set[str]] | None:
        """What a name stands for, and the names that this needs; None if that is nothing of the module's.

        Raises:
            NotAlone: It cannot be taken along.
        """
        match self.bound_by(name):
            case []:
                if name in self.made and name != "__name__":
                    raise NotAlone(f"it needs {name}, which no plain line of its module makes")
                return None
            case [ast.Import() | ast.ImportFrom() as statement]:
                imported = self._imported(statement, name)
                return (imported, set()) if imported else None
            case [statement] if isinstance(statement, _DEFINITIONS):
                return self._definition(statement)
            case _:
                raise NotAlone(f"it needs {name}, which several lines of its module make")

    def _imported(self, statement: ast.Import | ast.ImportFrom, bound: str) -> Import | None:
        alias = next(each for each in statement.names if _bound_alias(each) == bound)
        level = statement.level if isinstance(statement, ast.ImportFrom) else 0
        module = (statement.module or "") if isinstance(statement, ast.ImportFrom) else alias.name
        root = module.partition(".")[0]
        if level or root == _OURS or not _is_installed(root):
            if alias.name == bound == "ToolError":
                return None
            raise NotAlone(f"it needs {'.' * level}{module or alias.name}, which is another file")
        if isinstance(statement, ast.Import):
            return Import(module, "", alias.asname or "")
        return Import(module, alias.name, alias.asname or "")

    def _definition(self, statement: ast.stmt) -> tuple[Definition, set[str]]:
        inside = [each for each in ast.walk(statement) if isinstance(each, ast.Import | ast.ImportFrom)]
        if not all(self._imported(each, _bound_alias(alias)) for each in inside for alias in each.names):
            raise NotAlone("it imports ToolError inside a function")
        kept = [each for each in getattr(statement, "decorator_list", []) if not self._is_tool(each)]
        texts = [f"@{ast.get_source_segment(self.text, each)}" for each in kept]
        texts.append(ast.get_source_segment(self.text, statement) or "")
        needed = {name for each in kept for name in _names(each)}
        for field, child in ast.iter_fields(statement):
            if field != "decorator_list":
                for each in child if isinstance(child, list) else [child]:
                    needed |= set(_names(each)) if isinstance(each, ast.AST) else set()
        return Definition(self.name, statement.lineno, "\n".join(texts)), needed

    def _is_tool(self, decorator: ast.expr) -> bool:
        """Whether this is what makes a function one for models."""
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        return ast.unparse(called) in ("tool", f"{_OURS}.tool")


_TYPE_ALIAS: Any = getattr(ast, "TypeAlias", ast.AnnAssign)  # of Python 3.12
_DEFINITIONS = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
    _TYPE_ALIAS,
)


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top of a module gives a value, or may change."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {_bound_alias(each) for each in names}
        case ast.Assign(targets=targets):
            return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Expr(value=ast.Constant()):
            return set()
        case _TYPE_ALIAS(name=ast.Name(id=name)):
            return {name}
        case _:
            return {each.id for each in ast.walk(statement) if isinstance(each, ast.Name)}


def _is_installed(package: str) -> bool:
    """Whether a script that stands anywhere finds this package, too."""
    module = sys.modules.get(package)
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
    return package in sys.stdlib_module_names or any(
        re.search(r"\b(site|dist)-packages\b", each) for each in places
    )


def _bound_alias(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _names(node: ast.AST) -> Iterator[str]:
    """The names that are used in this, and in annotations that are written as texts."""
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            yield each.id
        for hint in (getattr(each, "annotation", None), getattr(each, "returns", None)):
            if isinstance(hint, ast.Constant) and isinstance(hint.value, str):
                yield from _names(ast.parse(hint.value, mode="eval"))
