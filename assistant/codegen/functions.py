"""The part of a script that holds an assistant's functions: their source, or a stub that raises.

A name has one meaning in a script. A function that needs another meaning of a name becomes a stub.
"""

import ast
import builtins
import inspect
import keyword
import re
from itertools import groupby
from string import Template
from typing import Any

from assistant.codegen.source_code import Definition, Import, NotSelfContained, collect_source
from assistant.tools.toolbox import Tool, Toolbox

_CALL_FUNCTION = '''
def call_function(name, arguments):
    """Return the function's output for the model, or an error."""
    try:
        values = json.loads(arguments or "{}")
        # In strict mode null stands for the default.
        values = {key: value for key, value in values.items() if value is not None$nullable}
        output = FUNCTIONS[name](**values)
        output = output if isinstance(output, str) else to_json(output, fallback=str).decode()
    except Exception as error:
        output = json.dumps({"error": f"{type(error).__name__}: {error}"})
    print(f"[{name}({arguments}) -> {output}]")
    return output
'''

_IMPORTS = (Import("json"), Import("pydantic_core", "to_json"))
_OPTIONAL_IMPORTS = (Import("pydantic", "validate_call"), Import("asyncio"))
_TOOL_ERROR = 'class ToolError(Exception):\n    """An error whose text is for the model."""'


_IS_MISSING = " is not included in this script"


def stubs_in(script: str) -> list[str]:
    """Return the functions of which a script has only a stub."""
    return re.findall(f'^    raise NotImplementedError\\("(.+){_IS_MISSING}"\\)$', script, re.MULTILINE)


class FunctionCode:
    """The imports and code blocks for these functions; ``script`` is the code around them."""

    def __init__(self, toolbox: Toolbox, script: str, imports: set[Import]) -> None:
        self.imports = {*imports, *_IMPORTS}
        reserved = _names_in(script + Template(_CALL_FUNCTION).substitute(nullable=""))
        self._names: dict[str, Import | Definition | None] = dict.fromkeys(
            [*reserved, *dir(builtins), "NULLABLE", "ToolError"]
        )
        for item in (*self.imports, *_OPTIONAL_IMPORTS):
            self._names[item.name or item.module] = item
        self._stubs: list[str] = []
        rows = [f"    {tool.name!r}: {self._add(tool)},\n" for tool in toolbox.values()]
        nullable = {(tool.name, name) for tool in toolbox.values() for name in _required_nullable(tool)}
        self.blocks = [*self._definitions(), *self._stubs, f"FUNCTIONS = {{\n{''.join(rows)}}}"]
        if nullable:
            self.blocks.insert(0, f"# Parameters for which null is a value.\nNULLABLE = {sorted(nullable)}")
        condition = " or (name, key) in NULLABLE" if nullable else ""
        self.blocks.append(Template(_CALL_FUNCTION).substitute(nullable=condition))

    def _add(self, tool: Tool[..., Any]) -> str:
        """Add the function and return the expression that calls it."""
        try:
            names = collect_source(tool)
            for name, meaning in names.items():
                if self._names.get(name, meaning) != meaning:
                    raise NotSelfContained(f"the name {name} has another meaning in this script")
        except NotSelfContained as reason:
            return self._add_stub(tool, str(reason))
        self._names |= names
        self.imports |= {meaning for meaning in names.values() if isinstance(meaning, Import)}
        self.imports.add(Import("pydantic", "validate_call"))  # also converts: a date arrives as a string
        if not inspect.iscoroutinefunction(tool.function):
            return f"validate_call({tool.name})"
        self.imports.add(Import("asyncio"))
        return f"lambda **values: asyncio.run(validate_call({tool.name})(**values))"

    def _add_stub(self, tool: Tool[..., Any], reason: str) -> str:
        name = tool.name
        if not name.isidentifier() or keyword.iskeyword(name) or name in self._names:
            name = f"missing_{len(self._stubs) + 1}"
        self._names[name] = None
        self._stubs.append(
            f"\ndef {name}(**values):\n"
            f"    # The source of {tool.name} is not included: {reason}.\n"
            f'    raise NotImplementedError("{tool.name}{_IS_MISSING}")\n'
        )
        return name

    def _definitions(self) -> list[str]:
        definitions = sorted({item for item in self._names.values() if isinstance(item, Definition)})
        texts = [definition.text for definition in definitions]
        if any("ToolError" in text for text in texts):
            texts.insert(0, _TOOL_ERROR)
        blocks = []
        for is_block, group in groupby(texts, lambda text: text.startswith(_BLOCK_STARTS)):
            lines = list(group)
            blocks += [f"\n{text}\n" for text in lines] if is_block else ["\n".join(lines)]
        return blocks


_BLOCK_STARTS = ("@", "def ", "async def ", "class ")


def _names_in(code: str) -> list[str]:
    nodes = list(ast.walk(ast.parse(code)))
    functions = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
    return [node.id for node in nodes if isinstance(node, ast.Name)] + functions


def _required_nullable(tool: Tool[..., Any]) -> list[str]:
    """Return the parameters without a default that accept None."""
    parameters = inspect.signature(tool.function).parameters
    return [
        name
        for name, schema in tool.parameters.get("properties", {}).items()
        if name in parameters
        and parameters[name].default is inspect.Parameter.empty
        and ({"type": "null"} in schema.get("anyOf", []) or "null" in (schema.get("type") or ()))
    ]
