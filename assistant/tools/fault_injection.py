"""Breaks functions on purpose: a toolbox whose functions fail as a fault says.

Not here: faults of the stream (``wire/faults.py``), and what faults there are (``wire/fault.py``).

The one rule: a model is told of the same functions, and arguments are checked as ever; only what happens
when a function is called is another.
"""

import threading
import time
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from assistant.tools.toolbox import Tool, Toolbox
from assistant.transports.fault_spec import Fault


def with_faults(toolbox: Toolbox, faults: Iterable[Fault]) -> Toolbox:
    """The toolbox with those functions broken that the faults name; faults of the stream are passed over.

    Raises:
        ValueError: A fault names a function that is not there.
    """
    broken = dict(toolbox)
    for fault in faults:
        if fault.function and fault.function not in toolbox:
            names = ", ".join(toolbox) or "none"
            raise ValueError(f"There is no function {fault.function!r} to break. There are: {names}.")
        for name in broken if fault.is_of_functions else ():
            if fault.function in ("", name):
                broken[name] = _broken(broken[name], fault)
    return Toolbox(*broken.values())


def _broken(tool: Tool[..., Any], fault: Fault) -> Tool[..., Any]:
    worse = copy(tool)
    worse.function = _function(tool.function, fault)
    return worse


def _function(function: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    def instead(**arguments: Any) -> Any:
        match fault.kind:
            case "function.raise":
                raise RuntimeError("This was broken on purpose.")
            case "function.delay":
                time.sleep(fault.at)
            case "function.never":
                threading.Event().wait()
            case "function.type":
                return _NotJson()
            case "function.huge":
                return "x" * int(fault.at)
        return function(**arguments)

    return instead


class _NotJson:
    """A value that JSON has no word for."""

    def __repr__(self) -> str:
        return "<something that is not JSON>"
