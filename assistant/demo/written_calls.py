"""Calls that a person has written out: ``get_weather(city="Oslo")``, in Python's signs or in Japanese ones.

Not here: questions in plain words (``questions.py``).
The one rule: arguments are literals that JSON has, or there is no call; nothing is computed or guessed.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from assistant.demo import phrases
from assistant.demo import vocabulary as words
from assistant.demo.calls import MOST_CALLS, Call, Function, Plan

OPENING = re.compile(r"(?<![\w-])([\w-]++)[(（]", re.ASCII)
TOKEN = re.compile(r"\\.|\w+|.", re.DOTALL)
QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "「": "」", "『": "』", "＂": "＂"}
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\/": "/", '\\"': '"', "\\'": "'"}
IN_PYTHON = {"true": "True", "false": "False", "null": "None"} | dict(
    zip("（），、＝：［］｛｝　", "(),,=:[]{} ", strict=True)
)


def written_plan(text: str, functions: Mapping[str, Function], language: str) -> Plan | str | None:
    """The calls that are written out in a text; a sentence where they cannot be made."""
    say = phrases.SENTENCES[language]
    rounds: list[list[Call]] = [[]]
    end = 0
    for name, arguments, begin, after in islice(_scan(text), MOST_CALLS):
        read = _read(arguments)
        function = functions.get(name)
        if function is None:
            line = text[text.rfind("\n", 0, begin) + 1 :].partition("\n")[0]
            if read is not None and line.strip(" \t\r`;.。") == text[begin:after]:
                return f"{say['unknown'].format(name=name)} {phrases.offer(functions, language)}"
            continue  # prose that happens to look like a call
        if read is None:
            return say["unreadable"].format(name=name, example=function.example())
        if rounds[-1] and words.THEN.search(text, end, begin):
            rounds.append([])
        rounds[-1].append(function.call(_named(function, *read)))
        end = after
    return Plan(rounds) if rounds[0] else None


def _scan(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Every ``name(…)`` that is not inside another: name, arguments as Python has them, begin, end."""
    end = 0
    while opening := OPENING.search(text, end):
        depth, inside, quotation, closing = 1, [], "", ""
        for token in TOKEN.finditer(text, opening.end()):
            sign = token[0]
            if closing and sign != closing:
                quotation += ESCAPES.get(sign, sign)
                continue
            if closing:
                sign, closing = repr(quotation), ""
            elif sign in QUOTES:
                quotation, closing = "", QUOTES[sign]
                continue
            sign = IN_PYTHON.get(sign, sign)
            depth += (sign in ("(", "[", "{")) - (sign in (")", "]", "}"))
            if not depth:
                break
            inside.append(sign)
        if depth:
            return  # it does not end: all the rest is inside it
        end = token.end()
        yield opening[1], "".join(inside), opening.start(), end


def _read(arguments: str) -> tuple[list[Any], dict[str, Any]] | None:
    """Positional and keyword arguments; None where they are anything but literals that JSON has."""
    try:
        call = ast.parse(f"call({arguments}\n)", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        positional = [ast.literal_eval(each) for each in call.args]
        keywords = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        positional, keywords = json.loads(json.dumps([positional, keywords], allow_nan=False))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return positional, keywords


def _named(function: Function, positional: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """All arguments by name, the positional ones in the order of the schema."""
    names = list(function.parameters)
    match positional:
        case [dict() as every] if every.keys() <= function.parameters.keys():
            return every | keywords
    names += [f"argument_{index + 1}" for index in range(len(names), len(positional))]
    return dict(zip(names, positional, strict=False)) | keywords
