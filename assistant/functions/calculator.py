"""Arithmetic without ``eval``.

The expression is parsed, and only the operators and functions listed below are computed. A power is computed
only if its size is known to be small.
"""

import ast
import math
import operator
from collections.abc import Callable

from assistant import ToolError, tool

Number = int | float

MAX_EXPRESSION_CHARS = 500
MAX_INTEGER_BITS = 3_300  # about a thousand digits
MAX_ROUND_DIGITS = 100

# Full-width forms have a fixed offset from ASCII. Superscripts are not converted: 3² is not 32.
_AS_ASCII = str.maketrans(
    {chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}
    | {"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "\u3000": " "}
)


@tool(status="Calculating {expression}")
def calculate(expression: str) -> int | float:
    """Calculate an arithmetic expression and return the number.

    Supports + - * / // % ** and parentheses, sqrt, round, min, max, abs, pi and e.

    Args:
        expression: For example "(3 + 4.5) * 2 ** 10" or "round(100 / 7, 2)"; numbers without
            thousands separators.

    Raises:
        ToolError: The expression is invalid, has no result, or its result is too large.
    """
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise ToolError(f"The expression is longer than {MAX_EXPRESSION_CHARS} characters; split it.")
    try:
        return _value(ast.parse(expression.translate(_AS_ASCII).strip(), mode="eval").body)
    except ZeroDivisionError:
        raise ToolError("Division by zero has no result.") from None
    except OverflowError:
        raise ToolError("The result or an intermediate result is too large.") from None
    except (RecursionError, MemoryError):
        raise ToolError("The expression is nested too deeply; split it.") from None
    except (SyntaxError, TypeError, ValueError):
        raise ToolError(f"This is not an arithmetic expression. {_HINT}") from None


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            return _SIGNS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*map(_value, arguments)))
        case ast.Tuple():
            raise ToolError("Write numbers without thousands separators: 1234.5, not 1,234.5.")
        case ast.BinOp(op=ast.BitXor()):
            raise ToolError("Write powers with **, not with ^.")
        case _:
            raise ToolError(f"'{ast.unparse(node)[:40]}' is not supported. {_HINT}")


def _bounded(number: Number | complex) -> Number:
    """Return the number.

    Raises:
        ToolError: The number is complex.
        OverflowError: The number is infinite or too large.
    """
    if isinstance(number, complex):
        raise ToolError("The result is not a real number.")
    if isinstance(number, float) and not math.isfinite(number):
        raise OverflowError
    if isinstance(number, int) and number.bit_length() > MAX_INTEGER_BITS:
        raise OverflowError
    return number


def _power(base: Number, exponent: Number) -> Number:
    # An integer power can be huge, so check its size before computing it.
    if isinstance(base, int) and isinstance(exponent, int):
        min_bits = (base.bit_length() - 1) * exponent
        if min_bits > MAX_INTEGER_BITS:
            raise OverflowError
    result: Number = base**exponent
    return result


def _round(number: Number, digits: int = 0) -> Number:
    if abs(digits) > MAX_ROUND_DIGITS:
        raise OverflowError
    return round(number, digits) if digits else round(number)


_HINT = "Use numbers, + - * / // % **, parentheses, sqrt, round, min, max, abs, pi and e."
_CONSTANTS = {"pi": math.pi, "e": math.e}
_SIGNS: dict[type, Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_OPERATORS: dict[type, Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    "sqrt": math.sqrt,
    "round": _round,
    "min": min,
    "max": max,
    "abs": abs,
}
