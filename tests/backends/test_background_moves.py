"""A thread moves to another server while a function runs in the background."""

import threading
from contextlib import ExitStack

from assistant import Assistant, Thread, Toolbox, tool
from assistant.backends.client import connect
from assistant.events import RunCompleted
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from tests.backends.kinds import KINDS, Kind
from tests.servers.responses import ModelServer, background_call, calls, message, text
from tests.waiting import until


def test_the_result_reaches_the_model_of_the_other_server(kind: Kind) -> None:
    gate = threading.Event()

    @tool(background=True)
    def search(city: str) -> str:
        """Search.

        Args:
            city: Where.
        """
        assert gate.wait(5)
        return f"90 to {city}"

    toolbox, thread = Toolbox(search), Thread()
    with ExitStack() as stack:
        first = stack.enter_context(ModelServer())
        backend = KINDS["Responses with conversations"].backend
        client = stack.enter_context(connect(Settings(api_key="sk", base_url=first.url)))
        assistant = Assistant(backend(client), toolbox)
        first.plays(calls(background_call("search", "a", city="Oslo"), message("Pack.")))
        run = RunRegistry().start(thread, lambda: assistant.run(thread, "Go"), assistant.cancel)
        until(run.end_wait)
        other = stack.enter_context(kind.server())
        client = stack.enter_context(connect(Settings(api_key="sk", base_url=other.url)))
        moved = Assistant(kind.backend(client), toolbox)
        other.plays(text("Hello."), text("It costs 90."))
        run = RunRegistry().start(thread, lambda: moved.run(thread, "Hi"), moved.cancel)
        if kind in (KINDS["Agents"], KINDS["Assistants"]):  # they take no result later, so they wait for it
            until(lambda: len(thread.messages) == 4)
            assert not other.requests
        else:
            until(lambda: thread.messages[-1].stats.rounds == 1)
        gate.set()
        assert [event for batch in run.follow() for event in batch][-1] == RunCompleted()
        assert "90 to Oslo" in str([vars(other), *other.requests])
        other.drop_script()
