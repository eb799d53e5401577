"""Read the calls that the application answers from one streamed response. Pure: no requests.

While a call is written, its pieces are only for display. It is complete when the response has ended well; one in the
background, when its item is finished.
"""

from collections.abc import Generator, Mapping
from dataclasses import replace

from assistant.backends.json_access import JsonObject, SurrogateBuffer, arguments_of, text_at
from assistant.backends.responses.client_calls import (
    call_id_of,
    client_call,
    client_note,
    is_client_call,
    is_client_output,
    text_call,
)
from assistant.backends.responses.hosted import approval_call
from assistant.backends.responses.items import item_keys
from assistant.backends.responses.server_steps import program_of
from assistant.backends.responses.written_calls import (
    expand_call,
    function_name,
    is_background_call,
    is_wrapper,
    sendable_name,
)
from assistant.events import Event, ToolCall, ToolCallDelta
from assistant.tools.arguments import valid_arguments


class CallReader:
    """The state of the calls of one response while its events arrive."""

    def __init__(self, text_parameters: Mapping[str, str]) -> None:
        self._text_parameters = text_parameters
        # item key -> (call id, name) of a call being written; None for a program's, which no model writes
        self._drafts: dict[object, tuple[str, str] | None] = {}
        self._newest_draft: tuple[str, str] | None = None
        self._buffer = SurrogateBuffer()
        self._call_ids: set[str] = set()

    def begin(self, event: JsonObject, item: JsonObject) -> Generator[Event, None, None]:
        """Yield the beginning of a call, if the item is one of a function."""
        is_function = item.get("type") == "function_call" and not is_wrapper(text_at(item, "name"))
        if not is_function and not self._is_text_call(item):
            return
        # Arguments in this event may be repeated as deltas; those of the finished item are used.
        call_id = text_at(item, "call_id") or text_at(item, "id") or f"draft_{len(self._drafts)}"
        name = function_name(text_at(item, "name"))
        self._newest_draft = None if program_of(item) else (call_id, name)
        for key in (*item_keys(event), item.get("id"), item.get("call_id")):
            if isinstance(key, str | int):
                self._drafts[key] = self._newest_draft
        if self._newest_draft:
            yield ToolCallDelta(*self._newest_draft, "")

    def delta(self, event: JsonObject) -> Generator[Event, None, None]:
        """Yield a piece of a call's arguments."""
        drafts = (self._drafts[key] for key in item_keys(event) if key in self._drafts)
        draft = next(drafts, self._newest_draft)
        if draft is not None and (text := self._buffer.feed(draft, event.get("delta"))):
            yield ToolCallDelta(*draft, text)

    def background_call(self, item: JsonObject) -> Generator[Event, None, None]:
        """Yield a complete call in the background at once: it does not wait for the end of the response."""
        if is_background_call(item):
            call = self._function_call(item)
            self._call_ids.add(call.call_id)
            yield replace(call, name=function_name(call.name), background=True)

    def finish(self, items: list[JsonObject]) -> Generator[Event, None, list[ToolCall]]:
        """Yield and return the calls in the items of a response that ended well, but those in the background."""
        outputs = {call_id_of(item) for item in items if is_client_output(item)}
        calls: list[ToolCall] = []
        for item in items:
            if is_client_call(item) and not self._is_text_call(item) and call_id_of(item) not in outputs:
                yield client_note(item)
                new = [client_call(item)]
            else:
                new = self._calls_in(item)
            yield from new
            calls += new
        return calls

    def _calls_in(self, item: JsonObject) -> list[ToolCall]:
        """Return the calls of functions in an item, or the one that waits for the user's approval."""
        if is_background_call(item):
            return []
        if item.get("type") == "function_call":
            calls = expand_call(self._function_call(item))
            self._call_ids |= {call.call_id for call in calls}
            return calls
        if self._is_text_call(item):
            return [text_call(item, self._text_parameters[text_at(item, "name")])]
        waiting = approval_call(item)
        return [waiting] if waiting else []

    def _is_text_call(self, item: JsonObject) -> bool:
        """Return whether an item calls one of the functions that take free text."""
        return item.get("type") == "custom_tool_call" and text_at(item, "name") in self._text_parameters

    def _function_call(self, item: JsonObject) -> ToolCall:
        """Return the call of an item, and complete the item where the server left something out."""
        arguments = arguments_of(item)
        call_id = text_at(item, "call_id") or text_at(item, "id") or "call"
        while call_id in self._call_ids:
            call_id = f"{call_id}_{len(self._call_ids)}"
        name = text_at(item, "name")
        item["call_id"], item["arguments"] = call_id, valid_arguments(arguments)
        item["name"] = sendable_name(name)
        return ToolCall(call_id, name, arguments, program=program_of(item))


def is_open_call(item: JsonObject) -> bool:
    """Return whether an item is a call that the application answers."""
    return item.get("type") == "function_call" or is_client_call(item) or approval_call(item) is not None
