"""The Assistants API, for gateways and self-hosted servers that still speak it.

Not here: the loop (``run.py``), what the events of a run mean (``assistants_stream.py``), what the server has
heard (``assistants_items.py``).

The one rule: a run goes on at the server whoever listens, and its thread takes no message meanwhile. So
before anything is posted, the last run there is looked at: what nobody needs is cancelled and waited for,
what was meant for us is waited for and taken up (github.com/openai/openai-python/issues/1023).

Requests are made by path (the SDK's README, "Undocumented endpoints"): its methods for this API warn with
every call, and such warnings cannot be silenced for one thread alone; and so plain dictionaries come back.
"""

import json
import re
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import Any, Literal
from urllib.parse import quote
from weakref import WeakKeyDictionary

from openai import OpenAI, Stream

from assistant.backends.assistants.items import Memory, answers_in
from assistant.backends.assistants.stream import Answer, Ended, Json, calls_of, read
from assistant.backends.base import RemoteBackend
from assistant.backends.client import (
    Request,
    address,
    check_id,
    failure,
    host,
    not_the_api,
    refuse_page,
    require_final_event,
    translate_errors,
)
from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError, Interrupted, RequestRefused, UnknownThread
from assistant.events import Event, Note, ThreadOpened, ToolCall
from assistant.locale import N_
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox
from assistant.transports.sse import events

LOCK_DELAYS = (0.1, 0.5, 1.0, 2.0)
"""Seconds before each new try on a thread that was not in the state we took it to be in."""

CANCEL_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between looks at a run that is being cancelled."""

ANSWER_DELAYS = (0.2, 0.5, 1.0, *(2.0,) * 60)
"""Seconds between looks at a run whose answer was cut off here and goes on there."""

PATIENCE = 3.0
"""Seconds that telling the server of a cancelled run may take."""

PAGE = 32
"""The most messages that a new thread may be given at once."""

_HEADERS = {"OpenAI-Beta": "assistants=v2"}
_NO_THREADS = (404, 405, 410, 501)
_GOING_ON = ("queued", "in_progress", "cancelling")
_ACTIVE = ("requires_action", *_GOING_ON)
_OUT_OF_STEP = re.compile(
    "while a run .*is active|already has an active run|accept tool outputs|expected tool outputs"
    "|no run found",
    re.IGNORECASE | re.DOTALL,
)
_NO_ASSISTANT = re.compile("no assistant|assistant .*(not found|not exist)", re.IGNORECASE | re.DOTALL)


class Assistants(RemoteBackend):
    """A backend for servers that speak the Assistants API; ``assistant_id`` names an assistant there.

    ``instructions`` replace the assistant's own, where they are given.
    """

    protocol: ProtocolName = "assistants"

    def __init__(self, client: OpenAI, *, assistant_id: str, instructions: str = "") -> None:
        self._client = client
        self._assistant = assistant_id
        self._instructions = instructions
        self._requests: WeakKeyDictionary[Thread, Request] = WeakKeyDictionary()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server if it is answering this thread; see ``Backend``.

        The run there is cancelled by who was listening to it.
        """
        request = self._requests.pop(thread, None)
        if request is not None:
            request.cancel()

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """One round of a run that answers the thread as it stands; see ``Backend``."""
        memory, request = self._memory(thread), Request()
        self._requests[thread] = request
        new = memory.notes["thread"] is None
        if new:
            created = self._create(memory)
            yield ThreadOpened(created)
            memory.notes["thread"] = created
        delays, rebuilt, repeated = iter(LOCK_DELAYS), False, False
        while True:
            answer = Answer(memory.notes["missing"])
            try:
                if request.cancelled:  # while it waited
                    raise Interrupted(N_("Cancelled."), code="cancelled")
                yield from self._round(memory, answer, toolbox, request, new)
                break
            except RequestRefused as refusal:
                if request.cancelled:
                    raise
                memory.notes["uncertain"], new = True, False
                if self._is_gone(refusal, memory):
                    if rebuilt:
                        raise
                    rebuilt = True
                    memory.notes["thread"] = self._create(memory)
                    new = True
                    yield Note(
                        N_("The server no longer has its copy of this conversation; it was written anew.")
                    )
                    continue
                delay = next(delays, None)
                if delay is None or not _OUT_OF_STEP.search(str(refusal)):
                    raise self._in_words(refusal) from refusal.__cause__
                time.sleep(delay)
            except Interrupted as cut:
                # Once, where nothing was said: what goes on there is taken up, or it is asked again.
                memory.notes["uncertain"], new = True, False
                if request.cancelled or repeated or cut.code != "interrupted" or answer.spoke:
                    raise
                repeated = True
        memory.commit(answer)
        return answer.calls

    def load_thread(self, thread_id: str) -> Thread:
        """The thread that the server keeps under this id; calls are not kept there.

        Where a run on it goes on at the server, its last message is one without an ending.

        Raises:
            UnknownThread: There is none by this id.
        """
        check_id(thread_id)
        thread = Thread(thread_id)
        try:
            run = self._last_run(thread_id)
            going_on = run is not None and run.get("status") in ("queued", "in_progress")
            messages = list(self._messages(thread_id, "asc"))
        except BackendError as error:
            if status_of(error) not in (400, 422, *_NO_THREADS):
                raise
            raise UnknownThread(
                N_("{host} has no thread by this id.", host=host(self._client)), code="unknown_thread"
            ) from error
        if run is not None and going_on:
            messages = [each for each in messages if each.get("run_id") != run.get("id")]
        self._memory(thread).recall(thread_id, messages, run, going_on)
        return thread

    def delete_thread(self, thread: Thread) -> None:
        """Delete the server's thread, where it has one, and cancel what runs on it.

        Raises:
            BackendError: It is still there.
        """
        own = self._memory(thread).notes["thread"]
        if own is None:
            return
        try:
            if (run := self._last_run(own)) is not None and run.get("status") in _ACTIVE:
                self._cancel_run(own, run)
            with translate_errors(self._client):
                self._client.delete(_path(own), cast_to=object, options={"headers": _HEADERS})
        except RequestRefused as refusal:
            if status_of(refusal) != 404:
                raise

    def can_resume(self, thread: Thread) -> bool:
        """Whether a run at the server goes on with the answer that this thread lacks, or has ended it."""
        notes = self._memory(thread).notes
        if notes["thread"] is None:
            return False
        with suppress(BackendError):
            run = self._last_run(notes["thread"])
            if run is not None and run.get("id") != notes["finished"]:
                return run.get("status") in ("queued", "in_progress", "completed")
        return False

    def _memory(self, thread: Thread) -> Memory:
        return Memory(thread, address(self._client))

    def _create(self, memory: Memory) -> str:
        """A new thread at the server that holds what was said before the person's last message; its id."""
        told = memory.begin()
        try:
            made = self._ask_json("post", "/threads", {"messages": told[:PAGE]} if told else {})
        except BackendError as error:
            if status_of(error) in _NO_THREADS:
                raise self._over() from error
            raise
        thread_id = made.get("id")
        if not isinstance(thread_id, str) or not thread_id:
            raise not_the_api(self._client)
        for message in told[PAGE:]:
            self._ask_json("post", _path(thread_id, "messages"), message)
        if told:
            memory.notes["newest"] = str(next(self._messages(thread_id, "desc", 1), {}).get("id") or "")
        return thread_id

    def _round(
        self, memory: Memory, answer: Answer, toolbox: Toolbox, request: Request, new: bool
    ) -> Generator[Event, None, None]:
        """Ask for what comes next, or take up what came of what was asked before.

        Where the server's thread is ``new``, nothing came of anything.
        """
        own, run, owed = str(memory.notes["thread"]), memory.notes["run"], memory.notes["owed"]
        if not memory.is_in_step and not new:
            last, news = self._settle(own, memory, request)
            calls = calls_of(last) if last.get("status") == "requires_action" else []
            known = memory.known(calls)
            run, owed = (str(last.get("id")), [call.call_id for call in calls]) if known else ("", [])
            fresh = answers_in(news, last)
            unheard = last.get("status") == "completed" and last.get("id") != memory.notes["finished"]
            if not memory.has_question and ((calls and not known) or (unheard and fresh)):
                kept = [("thread.message.completed", message) for message in memory.unsaid(fresh)]
                yield from read([*kept, (f"thread.run.{last['status']}", last)], answer, toolbox)
                return
        memory.notes["uncertain"] = True
        path, asked = _path(own, "runs"), {"assistant_id": self._assistant, "stream": True}
        if owed:
            path = _path(own, "runs", run, "submit_tool_outputs")
            asked = {"tool_outputs": memory.outputs(owed), "stream": True}
            answer.run = run
        else:
            for message, heard in memory.unheard():
                # Not repeated by the SDK: a message whose receipt got lost would be there twice.
                made = self._ask_json("post", _path(own, "messages"), message, max_retries=0)
                memory.posted(str(made.get("id") or ""), heard)
            if self._instructions:
                asked["instructions"] = self._instructions
        if request.cancelled:
            raise Interrupted(N_("Cancelled."), code="cancelled")
        try:
            with (
                require_final_event(self._client),
                closing(self._events(path, asked, own, answer, request)) as stream,
            ):
                try:
                    yield from read(stream, answer, toolbox)
                except GeneratorExit:
                    request.cancelled = True
                    raise
        except Ended as end:
            raise self._ended(end.status) from end

    def _settle(self, own: str, memory: Memory, request: Request) -> tuple[Json, list[Json]]:
        """The last run of the thread, which no longer goes on, and the messages not known of before."""
        run = self._last_run(own)
        if run is not None and run.get("status") in _ACTIVE:
            if not memory.has_more_than(self._news(own, memory)):
                run = self._wait(own, run, _GOING_ON, ANSWER_DELAYS, request)
            calls = calls_of(run)
            unclear = not calls or 0 < len(memory.known(calls)) < len(calls)
            if run.get("status") in _ACTIVE and (unclear or memory.has_more_than(self._news(own, memory))):
                self._cancel_run(own, run)
                run = self._wait(own, run, _ACTIVE, CANCEL_DELAYS, request)
        news = self._news(own, memory)
        memory.learn(news)
        return run or {}, news

    def _wait(
        self, own: str, run: Json, while_in: tuple[str, ...], delays: tuple[float, ...], request: Request
    ) -> Json:
        for delay in delays:
            run = self._ask_json("get", _path(own, "runs", str(run.get("id"))))
            if run.get("status") not in while_in:
                return run
            time.sleep(delay)
            if request.cancelled:
                raise Interrupted(N_("Cancelled."), code="cancelled")
        raise failure("conversation_locked", "", self._client)

    def _cancel_run(self, own: str, run: Json) -> None:
        """Tell the server that nobody waits for this run any more."""
        with suppress(BackendError):
            path = _path(own, "runs", str(run.get("id")), "cancel")
            self._ask_json("post", path, {}, max_retries=0, timeout=PATIENCE)

    def _events(
        self, path: str, asked: Json, own: str, answer: Answer, request: Request
    ) -> Generator[tuple[str, Json], None, None]:
        """The events of one round, each with its name; a round that was cancelled here is cancelled there."""
        try:
            with translate_errors(self._client):
                # The SDK would make models of the events, so here it only opens the stream.
                stream: Stream[object] = self._client.post(
                    path,
                    body=asked,
                    cast_to=object,
                    options={"headers": _HEADERS},
                    stream=True,
                    stream_cls=Stream[object],
                )
                with closing(stream):
                    request.answered_by(stream.response)
                    refuse_page(stream.response, self._client)
                    for name, text in events(stream.response.iter_bytes()):
                        if text.strip() == "[DONE]":
                            return
                        data = json.loads(text)
                        if isinstance(data, dict):
                            yield name, data
        finally:
            if request.cancelled and answer.run and not answer.ended:
                self._cancel_run(own, {"id": answer.run})

    def _last_run(self, own: str) -> Json | None:
        page = self._ask_json("get", _path(own, "runs"), params={"limit": 1, "order": "desc"})
        return next(self._listed(page), None)

    def _news(self, own: str, memory: Memory) -> list[Json]:
        """The messages of the server's thread that are not known of, oldest first."""
        news: list[Json] = []
        for message in self._messages(own, "desc", 20):
            if message.get("id") == memory.notes["newest"]:
                break
            news.append(message)
        return news[::-1]

    def _messages(self, own: str, order: Literal["asc", "desc"], page_size: int = 100) -> Iterator[Json]:
        params: Json = {"order": order, "limit": page_size}
        while True:
            page = self._ask_json("get", _path(own, "messages"), params=params)
            messages = list(self._listed(page))
            yield from messages
            if not messages or not page.get("has_more"):
                return
            params = params | {"after": page.get("last_id") or messages[-1].get("id")}

    def _listed(self, page: Json) -> Iterator[Json]:
        items = page.get("data")
        if not isinstance(items, list):
            raise not_the_api(self._client)
        return (item for item in items if isinstance(item, dict))

    def _ask_json(
        self, method: Literal["get", "post"], path: str, body: Json | None = None, **options: Any
    ) -> Json:
        """What the server answers; ``options`` are the SDK's."""
        given: Any = {"headers": _HEADERS, **options}
        with translate_errors(self._client):
            if method == "get":
                answer = self._client.get(path, cast_to=object, options=given)
            else:
                answer = self._client.post(path, cast_to=object, body=body, options=given)
        if not isinstance(answer, dict):
            raise not_the_api(self._client)
        return answer

    def _is_gone(self, refusal: RequestRefused, memory: Memory) -> bool:
        """Whether this was refused because the server has no such thread (any more)."""
        if status_of(refusal) != 404:
            return False
        try:  # it may be the run or the assistant that is unknown: look
            next(self._messages(str(memory.notes["thread"]), "desc", 1), None)
        except RequestRefused as second:
            return status_of(second) == 404
        return False

    def _in_words(self, refusal: RequestRefused) -> RequestRefused:
        """The same, but for an assistant that the server does not know."""
        if status_of(refusal) not in (400, 404) or not _NO_ASSISTANT.search(str(refusal)):
            return refusal
        return RequestRefused(
            N_(
                "{host} has no assistant {assistant}. Set OPENAI_ASSISTANT_ID to the id of one it has.",
                host=host(self._client),
                assistant=self._assistant,
            ),
            code="unknown_assistant",
        )

    def _ended(self, status: str) -> Interrupted:
        text = N_("The answer was cancelled at {host}. Try again.", host=host(self._client))
        if status == "expired":
            text = N_(
                "The answer took too long and was given up at {host}. Try again.", host=host(self._client)
            )
        return Interrupted(text, code=status, retry=True)

    def _over(self) -> BackendError:
        if self._client.base_url.host == "api.openai.com":
            return RequestRefused(
                N_(
                    "OpenAI's Assistants API ended on 2026-08-26: set OPENAI_AGENT_ID (an agent is "
                    "its successor), or leave OPENAI_ASSISTANT_ID out to use the Responses API."
                ),
                code="assistants_ended",
            )
        return RequestRefused(
            N_(
                "{host} does not speak the Assistants API: leave OPENAI_ASSISTANT_ID out, or set "
                "OPENAI_BASE_URL to a server that does.",
                host=host(self._client),
            ),
            code="no_assistants",
        )


def _path(thread_id: str, *rest: str) -> str:
    return "/".join(["/threads", *(quote(each, safe="") for each in (thread_id, *rest))])
