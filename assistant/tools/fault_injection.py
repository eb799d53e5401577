"""A toolbox whose functions fail as the given faults say.

Names, schemas and the validation of arguments stay as they are. Faults of the stream are in
``transports/fault_transport.py``.
"""

import threading
import time
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from assistant.locale import N_
from assistant.tools.toolbox import Tool, Toolbox
from assistant.transports.fault_spec import Fault


def with_faults(toolbox: Toolbox, faults: Iterable[Fault]) -> Toolbox:
    """Return the toolbox with the function faults applied; other faults are ignored.

    Raises:
        ValueError: A fault names a function that the toolbox does not have.
    """
    tools = dict(toolbox)
    for fault in faults:
        if fault.function and fault.function not in toolbox:
            text = N_(
                "There is no function '{name}' to break. Available functions: {names}.",
                name=fault.function,
                names=", ".join(toolbox) or "–",
            )
            raise ValueError(text)
        for name in tools if fault.is_of_functions else ():
            if fault.function in ("", name):
                tools[name] = _with_fault(tools[name], fault)
    return Toolbox(*tools.values())


def _with_fault(tool: Tool[..., Any], fault: Fault) -> Tool[..., Any]:
    faulty = copy(tool)
    faulty.function = _faulty_function(tool.function, fault)
    return faulty


def _faulty_function(function: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    def faulty(**arguments: Any) -> Any:
        match fault.kind:
            case "function.raise":
                raise RuntimeError("An injected fault.")
            case "function.delay":
                time.sleep(fault.at)
            case "function.never":
                threading.Event().wait()
            case "function.type":
                return _NotJson()
            case "function.huge":
                return "x" * int(fault.at)
        return function(**arguments)

    return faulty


class _NotJson:
    """A value that cannot be converted to JSON."""

    def __repr__(self) -> str:
        return "<not JSON>"
