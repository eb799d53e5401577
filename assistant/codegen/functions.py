"""Functions as they stand in a script: imports, sources or stubs, and how each is called. Pure.

Not here: the script around them (``script.py``), or how a source is found (``sources.py``).

The one rule: a name means one thing in a script. A function that needs it to mean another becomes a stub.
"""

import ast
import builtins
import inspect
import keyword
from collections.abc import Iterable
from itertools import groupby
from string import Template
from typing import Any

from assistant.codegen.source_code import Definition, Import, NotAlone, source_of
from assistant.tools.toolbox import Tool, Toolbox

_OUTPUT_OF = '''
def output_of(name, arguments):
    """What the model reads of a call: what the function gave, or what went wrong."""
    try:
        given = json.loads(arguments or "{}")
        # In strict mode a null says "use the default".
        given = {key: value for key, value in given.items() if value is not None$nullable}
        output = FUNCTIONS[name](**given)
        output = output if isinstance(output, str) else to_json(output, fallback=str).decode()
    except Exception as error:
        output = json.dumps({"error": f"{type(error).__name__}: {error}"})
    print(f"[{name}({arguments}) -> {output}]")
    return output
'''


class Functions:
    """The functions as they stand in a script: what is imported for them, and the blocks of code.

    ``template`` is the code that follows: no function may take a name that is used there.
    """

    def __init__(self, toolbox: Toolbox, template: str) -> None:
        self.imports = {Import("openai", "OpenAI")}
        self.blocks: list[str] = []
        if not toolbox:
            return
        self.imports |= {Import("json"), Import("pydantic_core", "to_json")}
        code = ast.walk(ast.parse(Template(template + _OUTPUT_OF).substitute(_ANYTHING)))
        self._taken: dict[str, Import | Definition | None] = dict.fromkeys(
            [each.id for each in code if isinstance(each, ast.Name)]
            + [*dir(builtins), "output_of", "FUNCTIONS", "NULLABLE", "TOOLS", "MOST_ROUNDS", "ToolError"]
        )
        for each in (*self.imports, *_IMPORTS_OF_SOME):
            self._taken[each.name or each.module] = each
        self._stubs: list[str] = []
        rows = [f"    {tool.name!r}: {self._add(tool)},\n" for tool in toolbox.values()]
        nullable = {(tool.name, name) for tool in toolbox.values() for name in _required_and_nullable(tool)}
        if nullable:
            self.blocks.append(f"# Here a null is a value.\nNULLABLE = {literal(sorted(nullable))}")
        self.blocks += [*self._definitions(), *self._stubs, f"FUNCTIONS = {{\n{''.join(rows)}}}"]
        kept = " or (name, key) in NULLABLE" if nullable else ""
        self.blocks.append(Template(_OUTPUT_OF).substitute(nullable=kept))

    def _add(self, tool: Tool[..., Any]) -> str:
        """Put the function in; the expression by which it is called."""
        try:
            names = source_of(tool)
            for name, thing in names.items():
                if self._taken.get(name, thing) != thing:
                    raise NotAlone(f"it needs the name {name}, which means something else here")
        except NotAlone as reason:
            return self._add_stub(tool, str(reason))
        self._taken |= names
        self.imports |= {each for each in names.values() if isinstance(each, Import)}
        self.imports.add(Import("pydantic", "validate_call"))  # checks arguments, makes dates of texts …
        if not inspect.iscoroutinefunction(tool.function):
            return f"validate_call({tool.name})"
        self.imports.add(Import("asyncio"))
        return f"lambda **given: asyncio.run(validate_call({tool.name})(**given))"

    def _add_stub(self, tool: Tool[..., Any], reason: str) -> str:
        name = tool.name
        if not name.isidentifier() or keyword.iskeyword(name) or name in self._taken:
            name = f"unwritten_{len(self._stubs) + 1}"
        self._taken[name] = None
        self._stubs.append(
            f"\ndef {name}(**given):\n"
            f"    # The source of {tool.name} could not be put here: {reason}.\n"
            f'    raise NotImplementedError("{tool.name} has to be written here")\n'
        )
        return name

    def _definitions(self) -> list[str]:
        found = sorted({each for each in self._taken.values() if isinstance(each, Definition)})
        texts = [each.text for each in found]
        if any("ToolError" in text for text in texts):
            texts.insert(0, 'class ToolError(Exception):\n    """What a function tells the model."""')
        blocks = []
        for is_block, group in groupby(texts, lambda text: text.startswith(_BLOCKS)):
            lines = list(group)
            blocks += [f"\n{text}\n" for text in lines] if is_block else ["\n".join(lines)]
        return blocks


_IMPORTS_OF_SOME = (Import("pydantic", "validate_call"), Import("asyncio"))
_BLOCKS = ("@", "def ", "async def ", "class ")
_ANYTHING = {"client": "None", "said": "", "asked": "", "nullable": ""}


def _required_and_nullable(tool: Tool[..., Any]) -> list[str]:
    parameters = inspect.signature(tool.function).parameters
    return [
        name
        for name, given in tool.parameters.get("properties", {}).items()
        if name in parameters
        and parameters[name].default is inspect.Parameter.empty
        and ({"type": "null"} in given.get("anyOf", []) or "null" in (given.get("type") or ()))
    ]


def imports_as_text(imports: Iterable[Import]) -> str:
    """The lines that import all of this."""
    lines = []
    for (kind, module), group in groupby(sorted(imports, key=_in_order), lambda each: _in_order(each)[:2]):
        names = [(each.name or module) + (f" as {each.alias}" if each.alias else "") for each in group]
        if kind == _PLAIN:
            lines += [f"import {name}" for name in names]
        else:
            lines.append(f"from {module} import {', '.join(names)}")
    return "\n".join(lines)


_FUTURE, _PLAIN, _FROM = range(3)


def _in_order(each: Import) -> tuple[int, str, str, str]:
    return _FUTURE if each.module == "__future__" else _FROM if each.name else _PLAIN, *each


def literal(value: Any, depth: int = 0) -> str:
    """The value as Python writes it, on several lines where one is too short."""
    line = repr(value)
    if not isinstance(value, dict | list) or len(line) + 4 * depth < 100:
        return line
    if isinstance(value, dict):
        inside = [f"{name!r}: {literal(each, depth + 1)}" for name, each in value.items()]
    else:
        inside = [literal(each, depth + 1) for each in value]
    indent, (left, right) = "    " * depth, "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n" + "".join(f"{indent}    {each},\n" for each in inside) + f"{indent}{right}"
