"""Calls that the user writes: ``get_weather(city="Oslo")``, also with full-width punctuation.

Arguments are literals that JSON can express; nothing is computed or guessed.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from assistant.demo import phrases, vocabulary
from assistant.demo.calls import MAX_CALLS, Call, Function, Plan

OPENING = re.compile(r"(?<![\w-])([\w-]++)[(（]", re.ASCII)
TOKEN = re.compile(r"\\.|\w+|.", re.DOTALL)
QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "「": "」", "『": "』", "＂": "＂"}
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\/": "/", '\\"': '"', "\\'": "'"}
PYTHON_TOKENS = {"true": "True", "false": "False", "null": "None"} | dict(
    zip("（），、＝：［］｛｝　", "(),,=:[]{} ", strict=True)
)


def plan_written_calls(text: str, functions: Mapping[str, Function], language: str) -> Plan | str | None:
    """Return the plan of the calls in a text, a sentence if they are invalid, or None if there are none."""
    sentences = phrases.SENTENCES[language]
    rounds: list[list[Call]] = [[]]
    end = 0
    for name, arguments, start, stop in islice(_scan(text), MAX_CALLS):
        parsed = _parse_arguments(arguments)
        function = functions.get(name)
        if function is None:
            line = text[text.rfind("\n", 0, start) + 1 :].partition("\n")[0]
            if parsed is not None and line.strip(" \t\r`;.。") == text[start:stop]:
                return (
                    f"{sentences['unknown'].format(name=name)} {phrases.list_functions(functions, language)}"
                )
            continue  # prose that looks like a call
        if parsed is None:
            return sentences["unreadable"].format(name=name, example=function.example())
        if rounds[-1] and vocabulary.THEN.search(text, end, start):
            rounds.append([])
        rounds[-1].append(function.call(_bind(function, *parsed)))
        end = stop
    return Plan(rounds) if rounds[0] else None


def _scan(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield every outermost ``name(…)``: the name, the arguments in Python syntax, start and end."""
    end = 0
    while opening := OPENING.search(text, end):
        depth, arguments, quoted, closing_quote = 1, [], "", ""
        for match in TOKEN.finditer(text, opening.end()):
            token = match[0]
            if closing_quote and token != closing_quote:
                quoted += ESCAPES.get(token, token)
                continue
            if closing_quote:
                token, closing_quote = repr(quoted), ""
            elif token in QUOTES:
                quoted, closing_quote = "", QUOTES[token]
                continue
            token = PYTHON_TOKENS.get(token, token)
            depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
            if not depth:
                break
            arguments.append(token)
        if depth:
            return  # an unclosed call contains the remaining text
        end = match.end()
        yield opening[1], "".join(arguments), opening.start(), end


def _parse_arguments(arguments: str) -> tuple[list[Any], dict[str, Any]] | None:
    """Return positional and keyword arguments, or None if they are not literals that JSON can express."""
    try:
        call = ast.parse(f"call({arguments}\n)", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        positional = [ast.literal_eval(argument) for argument in call.args]
        keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        positional, keywords = json.loads(json.dumps([positional, keywords], allow_nan=False))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return positional, keywords


def _bind(function: Function, positional: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments by name; positional ones are in the schema's order."""
    names = list(function.parameters)
    match positional:
        case [dict() as arguments] if arguments.keys() <= function.parameters.keys():
            return arguments | keywords
    names += [f"argument_{index + 1}" for index in range(len(names), len(positional))]
    return dict(zip(names, positional, strict=False)) | keywords
