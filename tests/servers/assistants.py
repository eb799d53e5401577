"""A loopback server that plays scripts over the Assistants API.

    with AssistantsServer() as server:
        server.plays(calls(call("add", a=1, b=2)), text("Three."))
        ...point the SDK at server.url...
        assert server.requests[1]["tool_outputs"] == [...]

It stores threads, messages and runs, and refuses what the real service refused, in its words: a message while
a run is active, a part of the outputs, outputs that no run waits for. A script that is left over fails the
test.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.servers.responses import Handler, Json, ModelServer, Play, error, new_id, split_text
from tests.waiting import until

ASSISTANT = "asst_1"
ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")


@dataclass
class Run:
    """A run: its status, and what it waits for."""

    id: str
    thread: str
    status: str = "queued"
    required: list[Json] = field(default_factory=list)
    delay: int = 0  # how many more requests see its status unchanged
    finish: Callable[[], None] | None = None  # called by the request after those
    is_streaming: bool = False


class AssistantsServer(ModelServer):
    """Plays its scripts on a free port of this machine; use it in a ``with`` block.

    ``Play.keeps`` defines what a cut run leaves behind: ``nothing`` (the run failed), ``all`` (it ended well)
    or ``late`` (it continues, and ends well after its status was requested).
    """

    def __init__(self, *, speaks: bool = True) -> None:
        super().__init__()
        self.speaks = speaks  # whether it has the Assistants API at all
        self.threads: dict[str, list[Json]] = {}  # their messages
        self.runs: dict[str, list[Run]] = {}  # by thread, oldest first
        self.tools: list[Json] = []  # the assistant's functions
        self.cancelled: list[str] = []  # the ids of the runs that were cancelled
        self.posted: list[Json] = []  # the messages that were added one by one
        self.slow_cancel = 1  # how many requests still see the status "cancelling"
        self.lost_receipts = 0  # how many of the next messages are stored without a response
        self.nameless = False  # whether the events are sent without names
        self.ignores_cancel = False  # whether requests to cancel a run fail
        self.surprise_run = ""  # the id of a run that starts just before the next message is posted

    def handler(self) -> type[Handler]:
        return AssistantsHandler

    def wait_until_idle(self) -> None:
        """Wait until no run is being streamed."""
        runs = self.runs.values()
        until(lambda: not any(run.is_streaming for each in runs for run in each), "a run is being streamed")

    def transcript(self, thread: str) -> list[tuple[str, str]]:
        """Return the messages of a thread as roles and texts."""
        return [(item["role"], item["content"][0]["text"]["value"]) for item in self.threads[thread]]

    def length(self, play: Play, begins: bool = True) -> int:
        """Return the number of events of a round of this play, including the one that ends it."""
        return len(list(self.events(play, Run("run_x", "thread_x"), begins))) - 1

    # The methods below run on the connections' threads.

    def refuse(self, status: int, reason: str, code: str | None = None) -> Play:
        self.refused.append(reason)
        return error(status, code, reason)

    def active(self, thread: str) -> Run | None:
        runs = self.runs[thread]
        return runs[-1] if runs and runs[-1].status in ACTIVE else None

    def advance(self, run: Run) -> None:
        """Advance a run whose status is requested."""
        if run.delay:
            run.delay -= 1
        elif run.status == "cancelling":
            run.status, run.finish = "cancelled", None
        elif run.finish is not None:
            run.finish()

    def play_for(self, body: Json) -> Play:
        """Return the script's next play."""
        self.requests.append(body)
        return self.take_play(body)

    def events(self, play: Play, run: Run, begins: bool) -> Iterator[tuple[str, Json | str]]:
        """Yield the events of a round in the documented order; the run's own comes last."""
        if begins:
            yield "thread.run.created", self.run_object(run, "queued")
            yield "thread.run.queued", self.run_object(run, "queued")
        yield "thread.run.in_progress", self.run_object(run, "in_progress")
        function_calls = [item for item in play.items if item["type"] == "function_call"]
        for item in play.items:
            if item["type"] == "message":
                yield from self._message(play, run, item)
        if function_calls:
            step = self._step(run, "tool_calls", {"type": "tool_calls", "tool_calls": []})
            yield "thread.run.step.created", step
            yield "thread.run.step.in_progress", step
            for index, item in enumerate(function_calls):
                pieces = ["", *split_text(item["arguments"], play.pieces)]
                for number, piece in enumerate(pieces):
                    head = {"id": item["call_id"]} if number == 0 else {}
                    function = {"arguments": piece} | ({"name": item["name"]} if number == 0 else {})
                    call = {"index": index, "type": "function", "function": function, **head}
                    details = {"type": "tool_calls", "tool_calls": [call]}
                    delta = {"object": "thread.run.step.delta", "delta": {"step_details": details}}
                    yield "thread.run.step.delta", {"id": step["id"], **delta}
        if play.ending == "completed" and function_calls:
            required = [_required(item) for item in function_calls]
            yield (
                "thread.run.requires_action",
                self.run_object(run, "requires_action", required) | play.details,
            )
        elif play.ending:
            status = play.details.get("status", play.ending)
            yield f"thread.run.{status}", self.run_object(run, status) | _details(play)
        yield "done", "[DONE]"

    def _message(self, play: Play, run: Run, item: Json) -> Iterator[tuple[str, Json]]:
        step = self._step(
            run,
            "message_creation",
            {"type": "message_creation", "message_creation": {"message_id": item["id"]}},
        )
        whole = _message_object(run.thread, "assistant", item["content"], item["id"], run.id)
        started = {**whole, "content": [], "status": "in_progress"}
        yield "thread.run.step.created", step
        yield "thread.run.step.in_progress", step
        yield "thread.message.created", started
        yield "thread.message.in_progress", started
        for index, part in enumerate(item["content"]):
            refusal = part["type"] == "refusal"
            for piece in split_text(part["refusal" if refusal else "text"], play.pieces):
                content: Json = {"type": "refusal", "refusal": piece} if refusal else _text_part(piece)
                delta = {"content": [{"index": index, **content}]}
                yield (
                    "thread.message.delta",
                    {"id": item["id"], "object": "thread.message.delta", "delta": delta},
                )
        yield "thread.message.completed", whole
        yield "thread.run.step.completed", {**step, "status": "completed", "usage": _usage()}

    def _step(self, run: Run, kind: str, details: Json) -> Json:
        return {
            "id": new_id("step"),
            "object": "thread.run.step",
            "created_at": 1,
            "run_id": run.id,
            "assistant_id": ASSISTANT,
            "thread_id": run.thread,
            "type": kind,
            "status": "in_progress",
            "step_details": details,
        }

    def finish(self, play: Play, conversation: Any, request: Json, whole: bool) -> None:
        """Do nothing: ``end`` finishes a run."""

    def end(self, play: Play, run: Run, whole: bool) -> None:
        """End a round and store what it leaves behind."""
        with self._lock:
            run.finish = None
            if run.status == "cancelling":
                return
            if not whole and play.keeps == "late":
                run.finish, run.delay = lambda: self.end(play, run, whole=True), 1
                return
            if not whole and play.keeps == "nothing":
                run.status = "failed"
                return
            required = [_required(item) for item in play.items if item["type"] == "function_call"]
            run.status = play.details.get("status", play.ending) or "failed"
            if run.status == "completed" and required:
                run.status, run.required = "requires_action", required
            messages = [item for item in play.items if item["type"] == "message"]
            self.threads[run.thread] += [
                _message_object(run.thread, "assistant", item["content"], item["id"], run.id)
                for item in messages
            ]

    def run_object(self, run: Run, status: str = "", required: list[Json] | None = None) -> Json:
        """Return a complete run as the SDK's own model requires it."""
        status = status or run.status
        needs = required if required is not None else run.required
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": needs}}
        return {
            "id": run.id,
            "object": "thread.run",
            "created_at": 1,
            "assistant_id": ASSISTANT,
            "thread_id": run.thread,
            "status": status,
            "required_action": action if status == "requires_action" else None,
            "last_error": {"code": "server_error", "message": "Oh."} if status == "failed" else None,
            "instructions": "",
            "model": "test-model",
            "tools": self.tools,
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            "response_format": "auto",
            "truncation_strategy": {"type": "auto", "last_messages": None},
            "metadata": {},
            "started_at": 1,
            **dict.fromkeys(
                ("expires_at", "completed_at", "cancelled_at", "failed_at", "incomplete_details")
            ),
            **dict.fromkeys(("max_prompt_tokens", "max_completion_tokens")),
            "usage": _usage() if status in ("completed", "incomplete") else None,
        }


class AssistantsHandler(Handler):
    model: AssistantsServer

    def do_GET(self) -> None:
        query = self._query()
        match self._place(urlsplit(self.path).path):
            case ["threads", thread]:
                self._send(200, _thread_object(thread))
            case ["threads", thread, "messages"]:
                self._page(list(self.model.threads[thread]), query)
            case ["threads", thread, "runs"]:
                for run in self.model.runs[thread]:
                    self.model.advance(run)
                self._page([self.model.run_object(run) for run in self.model.runs[thread]], query)
            case ["threads", thread, "runs", name] if (found := self._run(thread, name)) is not None:
                self.model.advance(found)
                self._send(200, self.model.run_object(found))
            case ["models"]:
                self._send(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        body = self._json()
        match self._place(urlsplit(self.path).path):
            case ["threads"]:
                self._create(body.get("messages") or [])
            case ["threads", thread, "messages"]:
                self._post_message(thread, body)
            case ["threads", thread, "runs"]:
                self._begin_run(thread, body)
            case ["threads", _, "runs", _, "cancel"] if self.model.ignores_cancel:
                self._refuse(error(500, "server_error"))
            case ["threads", thread, "runs", name, "cancel"] if run := self._run(thread, name):
                self.model.cancelled.append(run.id)
                if run.status not in ACTIVE:
                    # Not a mistake of the client, which could not know.
                    reason = f"Cannot cancel run with status '{run.status}'."
                    self._refuse(error(400, None, reason))
                    return
                run.status, run.delay = "cancelling", self.model.slow_cancel
                self._send(200, self.model.run_object(run))
            case ["threads", thread, "runs", name, "submit_tool_outputs"] if run := self._run(thread, name):
                self._submit(run, body)

    def do_DELETE(self) -> None:
        match self._place(urlsplit(self.path).path):
            case ["threads", thread]:
                del self.model.threads[thread]
                self._send(200, {"id": thread, "object": "thread.deleted", "deleted": True})

    def _place(self, path: str) -> list[str]:
        """Return the parts of the path; an empty list, after a response, if there is nothing at that path."""
        place = [unquote(part) for part in path.removeprefix("/v1/").split("/")]
        if self.headers.get("openai-beta") != "assistants=v2":
            self.model.problems.append(f"no OpenAI-Beta header: {path}")
        if self.model.pages:
            self._send_web_page()
        elif not self.model.speaks:
            self._send(404, {"error": {"message": f"Invalid URL ({self.command} {path})", "code": None}})
        elif len(place) > 1 and place[1] not in self.model.threads:
            self._refuse(self.model.refuse(404, f"No thread found with id '{place[1]}'."))
        elif len(place) > 3 and self._run(place[1], place[3]) is None:
            self._refuse(self.model.refuse(404, f"No run found with id '{place[3]}'."))
        else:
            return place
        return []

    def _refuse(self, play: Play) -> None:
        self._send(play.status, play.body, play.headers)

    def _run(self, thread: str, name: str) -> Run | None:
        return next((run for run in self.model.runs[thread] if run.id == name), None)

    def _create(self, messages: list[Json]) -> None:
        if len(messages) > 32:
            self._refuse(self.model.refuse(400, "Invalid 'messages': array too long."))
            return
        thread = new_id("thread")
        self.model.threads[thread] = [
            message_object(thread, message["role"], message["content"]) for message in messages
        ]
        self.model.runs[thread] = []
        self._send(200, _thread_object(thread))

    def _post_message(self, thread: str, body: Json) -> None:
        if self.model.surprise_run:
            self.model.runs[thread].append(Run(self.model.surprise_run, thread, "in_progress"))
            self.model.surprise_run = ""
        run = self.model.active(thread)
        if run is not None:
            reason = f"Can't add messages to {thread} while a run {run.id} is active."
            self._refuse(self.model.refuse(400, reason))
        elif not body["content"] or "\0" in body["content"]:
            self._refuse(self.model.refuse(400, "Message content must be non-empty."))
        else:
            self.model.posted.append(body)
            self.model.threads[thread].append(message_object(thread, body["role"], body["content"]))
            if self.model.lost_receipts:
                self.model.lost_receipts -= 1
                self._cut(Play(how="reset"), b"")
                return
            self._send(200, self.model.threads[thread][-1])

    def _begin_run(self, thread: str, body: Json) -> None:
        run = self.model.active(thread)
        if body["assistant_id"] != ASSISTANT:
            reason = f"No assistant found with id '{body['assistant_id']}'."
            self._refuse(self.model.refuse(404, reason))
        elif run is not None:
            self._refuse(self.model.refuse(400, f"Thread {thread} already has an active run {run.id}."))
        else:
            self._play(self.model.play_for(body), Run(new_id("run"), thread), begins=True)

    def _submit(self, run: Run, body: Json) -> None:
        expected = [call["id"] for call in run.required]
        received = [output["tool_call_id"] for output in body["tool_outputs"]]
        if run.status != "requires_action":
            reason = f'Runs in status "{run.status}" do not accept tool outputs.'
            self._refuse(self.model.refuse(400, reason))
        elif sorted(expected) != sorted(received):
            reason = f"Expected tool outputs for call_ids {expected}, got {received}"
            self._refuse(self.model.refuse(400, reason))
        else:
            self._play(self.model.play_for(body), run, begins=False)

    def _play(self, play: Play, run: Run, begins: bool) -> None:
        if play.status != 200:
            self._refuse(play)
            return
        if begins:
            self.model.runs[run.thread].append(run)
        run.status, run.required, run.is_streaming, whole = "in_progress", [], True, False

        def end_before_last_two(left: int) -> None:
            nonlocal whole
            if not whole and left <= 2:  # what a round leaves behind is stored before it is announced
                whole = bool(play.ending)
                self.model.end(play, run, whole)

        try:
            events = self.model.events(play, run, begins) if play.events is None else play.events
            data = [event if isinstance(event, bytes) else self.sse_event(*event) for event in events]
            self._stream(play, data, end_before_last_two)
        finally:
            if not whole:
                self.model.end(play, run, whole=False)
            run.is_streaming = False

    def sse_event(self, name: str, data: Json | str) -> bytes:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        head = "" if self.model.nameless else f"event: {name}\n"
        return f"{head}data: {text}\n\n".encode("utf-8", "surrogatepass")


def _required(item: Json) -> Json:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _text_part(reason: str) -> Json:
    return {"type": "text", "text": {"value": reason, "annotations": []}}


def _thread_object(thread: str) -> Json:
    return {"id": thread, "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}


def message_object(thread: str, role: str, text: str) -> Json:
    """Return a message as the server stores it."""
    return _message_object(thread, role, [{"type": "text", "text": text}], new_id("msg"), None)


def _message_object(thread: str, role: str, content: list[Json], name: str, run: str | None) -> Json:
    return {
        "id": name,
        "object": "thread.message",
        "created_at": 1,
        "thread_id": thread,
        "role": role,
        "status": "completed",
        "content": [part if part["type"] == "refusal" else _text_part(part["text"]) for part in content],
        "assistant_id": ASSISTANT if run else None,
        "run_id": run,
        "attachments": [],
        "metadata": {},
    }


def _usage() -> Json:
    return {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def tools_of(*names: str) -> list[Json]:
    """Return the functions of an assistant with these names."""
    return [{"type": "function", "function": {"name": name, "parameters": {}}} for name in names]


def _details(play: Play) -> Json:
    """Return the details of a run's end; this protocol has its own name for the token limit."""
    if play.details.get("incomplete_details") == {"reason": "max_output_tokens"}:
        return {"incomplete_details": {"reason": "max_completion_tokens"}}
    return play.details
