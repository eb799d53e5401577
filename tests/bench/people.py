"""Many users on one server without browsers: clients that speak the protocol of Streamlit's page.

They do what the page does in a chat: run the script once, submit the input as a widget, receive elements,
and rerun fragments at their interval. They search the received bytes for the expected words. A user who does
not receive the last word makes the measurement fail.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Common_pb2 import ChatInputValue
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.bench.answers import last_word, mark
from tests.bench.machine import cpu
from tests.bench.servers import Process

PATIENCE = 400.0
ARRIVING = 5.0  # seconds from the first to the last who speaks
HOST = "chat.example"  # a remote host, as for most users


@dataclass(frozen=True)
class Crowd:
    """When each turn's marks were received, and the cores used while all answers were streaming."""

    received: dict[int, dict[str, float]]
    cores: float


class User:
    """The connection of one browser."""

    def __init__(self, socket: ClientConnection, turn: int) -> None:
        self.turn = turn
        self.received: dict[str, float] = {}
        self.ready, self.begun, self.served = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._socket = socket
        self._page = self._query = self._input = ""
        self._again: dict[str, asyncio.Task[None]] = {}  # by fragment

    async def run(self, widgets: list[WidgetState] | None = None, fragment: str = "") -> None:
        """Run the script or one of its fragments."""
        state = ClientState(
            query_string=self._query,
            page_script_hash=self._page,
            widget_states=WidgetStates(widgets=widgets or []),
            fragment_id=fragment,
            is_auto_rerun=bool(fragment),
        )
        await self._socket.send(BackMsg(rerun_script=state).SerializeToString())

    async def say(self, words: str) -> None:
        """Submit the chat's input."""
        value = ChatInputValue(data=f"{words} turn={self.turn}")
        await self.run([WidgetState(id=self._input, chat_input_value=value)])

    async def listen(self) -> None:
        """Receive messages until the connection is closed."""
        with suppress(ConnectionClosed):
            async for data in self._socket:
                assert isinstance(data, bytes)
                self._look_for_words(data, time.monotonic())
                self._handle(ForwardMsg.FromString(data))

    def _look_for_words(self, data: bytes, now: float) -> None:
        while mark(len(self.received) + 1).encode() in data:
            self.received[mark(len(self.received) + 1)] = now
            self.begun.set()
        if last_word(self.turn).encode() in data:
            self.served.set()

    def vanish(self) -> None:
        """Disconnect at once, as a laptop does whose lid is closed."""
        self.leave()
        self._socket.transport.abort()

    def leave(self) -> None:
        for task in self._again.values():
            task.cancel()
        self._again = {}

    def _handle(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session" if not message.metadata.run.fragment_ids:
                self._page = message.new_session.page_script_hash
                self.leave()
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "delta" if message.delta.new_element.WhichOneof("type") == "chat_input":
                self._input = message.delta.new_element.chat_input.id
            case "auto_rerun":
                rerun = message.auto_rerun
                if previous := self._again.pop(rerun.fragment_id, None):
                    previous.cancel()
                again = self._run_again(rerun.fragment_id, rerun.interval)
                self._again[rerun.fragment_id] = asyncio.ensure_future(again)
            case "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    if previous := self._again.pop(fragment, None):
                        previous.cancel()
            case "script_finished" if self._input:
                self.ready.set()

    async def _run_again(self, fragment: str, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.run(fragment=fragment)


def crowd(server: Process, turns: list[int], prompt: str, seconds: float, watching: bool = True) -> Crowd:
    """Let a user per turn send the prompt, one shortly after the other; without ``watching`` they leave at once.

    The server's CPU is measured for so many seconds from the moment when all of them are being answered.
    """
    return asyncio.run(_crowd(server, turns, prompt, seconds, watching))


async def _crowd(server: Process, turns: list[int], prompt: str, seconds: float, watching: bool) -> Crowd:
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as lines:
        people = [await lines.enter_async_context(connected_user(server, turn)) for turn in turns]
        for user in people:
            await user.say(prompt)
            await asyncio.sleep(ARRIVING / len(people))
        for user in people:
            await user.begun.wait()
        if not watching:
            for user in people:
                user.vanish()
        before, began = cpu(server.pid), time.monotonic()
        await asyncio.sleep(seconds)
        cores = (cpu(server.pid) - before) / (time.monotonic() - began)
        for user in people * watching:
            await user.served.wait()
    return Crowd({user.turn: user.received for user in people}, cores)


@asynccontextmanager
async def connected_user(server: Process, turn: int) -> AsyncIterator[User]:
    """Yield a user whose page has been drawn."""
    there = connect(
        f"ws://{HOST}/_stcore/stream",
        host="127.0.0.1",
        port=server.port,
        subprotocols=[Subprotocol("streamlit"), Subprotocol("none")],
        compression=None,
        max_size=None,
        proxy=None,
    )
    async with there as socket, asyncio.TaskGroup() as tasks:
        user = User(socket, turn)
        listening = tasks.create_task(user.listen())
        try:
            await user.run()
            await user.ready.wait()
            yield user
        finally:
            user.leave()
            listening.cancel()
