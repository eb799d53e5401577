"""Plays a tape through the real SDK, backend and loop: the assistant that answers as the tape's did.

Not here: the wire (``wire/replay.py``).

The one rule: a function of a tape is not run again unless somebody asks for it; its output is the tape's.
"""

import json
import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from assistant.backends import RemoteBackend
from assistant.errors import ToolError
from assistant.events import Event, ToolCall, ToolResult
from assistant.recordings.recording import Recording
from assistant.runs.loop import Assistant
from assistant.settings import Settings
from assistant.tools.arguments import parse_arguments
from assistant.tools.toolbox import Tool, Toolbox
from assistant.transports.replay import ReplayTransport, address_of, protocol_of, request_of

MOST_ROUNDS = 100
"""The most rounds that a run may have by its settings, and so a tape."""

LONGEST = 3600.0
"""The most seconds that a function may take by its settings, and so one on a tape."""


def player(
    recording: Recording, toolbox: Toolbox | None = None, *, speed: float = 1.0, again: bool = False
) -> Assistant:
    """An assistant that answers once, as on the tape; run it on a new thread with ``prompt_of(tape)``.

    ``speed`` is that of ``ReplayTransport``. With ``again`` the functions of the toolbox are run, whatever
    they did on the tape; see ``differences``.

    Raises:
        ValueError: The speed is not above 0.
    """
    # Loaded with the SDK, which a page at rest does without.
    from assistant.backends.agents.backend import Agents
    from assistant.backends.assistants.backend import Assistants
    from assistant.backends.chat_completions.backend import ChatCompletions
    from assistant.backends.client import connect
    from assistant.backends.responses.backend import Responses

    client = connect(Settings(), ReplayTransport(recording, speed))
    client.base_url = address_of(recording) or client.base_url  # for errors name the server
    asked = request_of(recording)
    model, instructions = str(asked.get("model") or "tape"), str(asked.get("instructions") or "")
    reasoning = asked.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else asked.get("reasoning_effort")
    effort = str(effort or "")
    backend: RemoteBackend
    match protocol_of(recording):
        case "chat":
            backend = ChatCompletions(client, model=model, effort=effort)
        case "agents":
            backend = Agents(client, agent_id="tape", instructions=instructions)
        case "assistants":
            backend = Assistants(client, assistant_id="tape", instructions=instructions)
        case _:
            background = bool(asked.get("background"))
            backend = Responses(
                client, model=model, instructions=instructions, effort=effort, background=background
            )
    functions = toolbox or Toolbox()
    rounds = MOST_ROUNDS
    said = _said(recording)
    if said and said[-1].get("reason") == "max_rounds":
        rounds = sum(each["event"] == "RoundStarted" for each in said)
    if not again:
        functions = replayed_toolbox(recording, functions, speed)
    return Assistant(backend, functions, max_rounds=rounds, tool_timeout=30.0 if again else 2 * LONGEST)


def replayed_toolbox(recording: Recording, toolbox: Toolbox, speed: float = math.inf) -> Toolbox:
    """The toolbox with functions that give the tape's outputs, after as long as it took then.

    Functions that the tape has and the toolbox has not are added. A call is known by its function and its
    arguments; the same one more than once has its results in the tape's order.
    """
    results = _Results(recording)
    names = dict.fromkeys([*toolbox, *results.names()])
    return Toolbox(*(_Replayed(name, toolbox.get(name), results, speed) for name in names))


def differences(recording: Recording, events: Iterable[Event]) -> list[str]:
    """Where the functions' results in a run differ from the tape's, a sentence for each."""
    kept = {each["call_id"]: each for each in _said(recording) if each["event"] == "ToolResult"}
    calls: dict[str, ToolCall] = {}
    told, seen = [], set()
    for event in events:
        if isinstance(event, ToolCall):
            calls[event.call_id] = event
        elif isinstance(event, ToolResult):
            seen.add(event.call_id)
            call = calls.get(event.call_id)
            name = f"{call.name}({_shown(call.arguments)})" if call else f"The call {event.call_id}"
            known = kept.get(event.call_id)
            if known is None:
                told.append(f"{name} has no result on the tape; it now gives {_shown(event.output)}.")
            elif (known["output"], known["outcome"]) != (event.output, event.outcome):
                told.append(
                    f"{name} gave {_shown(known['output'])} ({known['outcome']}) on the tape, "
                    f"and now gives {_shown(event.output)} ({event.outcome})."
                )
    named = {each["call_id"]: each["name"] for each in _said(recording) if each["event"] == "ToolCall"}
    told += [
        f"{named.get(call_id, 'A call')} gave {_shown(each['output'])} on the tape and has no result now."
        for call_id, each in kept.items()
        if call_id not in seen
    ]
    return told


class _Results:
    """The results of a tape's calls, handed out once each."""

    def __init__(self, recording: Recording) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        self.undecided: set[str] = set()
        """The functions on which the tape's run waits for a person's decision."""
        said = _said(recording)
        paused = bool(said) and said[-1]["event"] == "RunPaused"
        results = [each for each in said if each["event"] == "ToolResult"]
        for call in said:
            if call["event"] == "ToolCall":
                result = next((each for each in results if each["call_id"] == call["call_id"]), None)
                if result is not None:
                    results.remove(result)  # an id may come again in a later round
                    self._left[call["name"]].append((_canonical(call["arguments"]), result))
                elif paused:
                    self.undecided.add(call["name"])

    def names(self) -> list[str]:
        """The functions that were there when the tape was recorded, and were called."""
        known = [name for name, left in self._left.items() if any(_was_there(each) for _, each in left)]
        return [*known, *self.undecided]

    def take(self, name: str, value: Any) -> dict[str, Any] | None:
        """The result of the next call of this function with these arguments, else of its next call."""
        with self._lock:
            left = self._left[name]
            wanted = json.dumps(value, sort_keys=True)
            found = next((each for each in left if each[0] == wanted), left[0] if left else None)
            if found is None:
                return None
            left.remove(found)
            return found[1]


class _Replayed(Tool[..., Any]):
    """A function of a tape."""

    def __init__(self, name: str, like: Tool[..., Any] | None, results: _Results, speed: float) -> None:
        self.name = name
        self.description = like.description if like else "A function of the tape."
        self.parameters = like.parameters if like else {"type": "object", "properties": {}}
        self.strict = like.strict if like else False
        self.timeout = None
        self.approval = self.name in results.undecided
        self._results, self._speed = results, speed

    def __repr__(self) -> str:
        return f"<Tool {self.name} of a tape>"

    def bind(self, arguments: Any) -> dict[str, Any]:
        return {"result": self._results.take(self.name, arguments)}

    def run(self, arguments: Any) -> ToolResult:
        result = arguments["result"]
        if result is None:
            raise ToolError(f"The tape has no result of '{self.name}' here.")
        took = result.get("seconds")
        if isinstance(took, (int, float)) and took > 0:
            time.sleep(min(took, LONGEST) / self._speed)
        return ToolResult("", str(result["output"]), result["outcome"], str(result["detail"]))


def _said(recording: Recording) -> list[dict[str, Any]]:
    """What the run said, in order, as far as it makes sense."""
    fields = {"ToolCall": ("call_id", "name", "arguments"), "ToolResult": ("call_id", "output", "outcome")}
    said = (entry.what for entry in recording.entries() if entry.kind == "run")
    return [
        {"detail": "", **each}
        for each in said
        if all(isinstance(each.get(name), str) for name in fields.get(each["event"], ()))
    ]


def _was_there(result: dict[str, Any]) -> bool:
    return bool(result["outcome"] != "unknown")


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(parse_arguments(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments


def _shown(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]} …"
