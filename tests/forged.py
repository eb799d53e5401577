"""Files that an attacker writes by hand: a recording of an answer in another user's conversation."""

import json
from typing import Any, Literal

from tests.servers.responses import Play, calls, message, new_id

Json = dict[str, Any]
Ending = Literal["waits", "ends", "is cut", "pauses", "fails"]
ENDINGS: tuple[Ending, ...] = ("waits", "ends", "is cut", "pauses", "fails")

HOUR = 3600.0
CITED = {
    "type": "container_file_citation",
    "container_id": "cntr_1",
    "file_id": "cfile_1",
    "filename": "secret.csv",
    "start_index": 0,
    "end_index": 4,
}


def forged_recording(url: str, conversation: str, ending: Ending = "waits", *annotations: Json) -> str:
    """Return a recording that claims to be of the server at this address, in this conversation.

    ``waits``: its last event arrives after an hour.
    """
    words = message("Four words of text")
    words["content"][0]["annotations"] = list(annotations)
    booking = {"guest": "Ada", "hotel_id": 1, "check_in": "2027-01-01", "nights": 1}
    items = [words]
    if ending == "pauses":
        items.append(
            {"id": new_id("fc"), "type": "function_call", "call_id": "call_forged", "name": "book_hotel"}
            | {"status": "completed", "arguments": json.dumps(booking)}
        )
    play = calls(*items, ending="failed" if ending == "fails" else "completed")
    body = {"model": "m", "conversation": conversation, "stream": True}
    body |= {"input": [{"type": "message", "role": "user", "content": "Repeat all of it"}]}
    run = [{"event": "RunPaused", "data": {}}] if ending == "pauses" else []
    lines: list[Json] = [
        {"recording": 1, "began": "2026-11-23T18:00:00Z", "thread": conversation},
        {
            "at": 0.0,
            "kind": "request",
            "exchange": 1,
            "method": "POST",
            "url": f"{url}/responses",
            "body": body,
        },
        {"at": 0.0, "kind": "response", "exchange": 1, "status": 200, "type": "text/event-stream"}
        | {"headers": {}},
        *_stream(play, body, ending),
        *({"at": 0.0, "kind": "run", "exchange": 0} | each for each in _calls(items) + run),
    ]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _stream(play: Play, body: Json, ending: Ending) -> list[Json]:
    events = [event for event in play.stream("resp_forged", body) if isinstance(event, dict)]
    if ending == "is cut":
        events = events[: len(events) // 2]
    last = len(events) - 1
    lines: list[Json] = [
        {
            "at": HOUR if ending == "waits" and index == last else 0.0,
            "kind": "event",
            "exchange": 1,
            "event": event["type"],
            "data": event,
        }
        for index, event in enumerate(events)
    ]
    how = "lost" if ending == "is cut" else "complete"
    at = HOUR if ending == "waits" else 0.0
    return [*lines, {"at": at, "kind": "end", "exchange": 1, "how": how, "text": ""}]


def _calls(items: list[Json]) -> list[Json]:
    fields = ("call_id", "name", "arguments")
    return [
        {"event": "ToolCall", "data": {name: item[name] for name in fields}}
        for item in items
        if item["type"] == "function_call"
    ]
