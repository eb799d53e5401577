"""The server's memory, step by step: ``python -m tests.bench.memory``.

Each figure is the resident memory of the process that serves the page, in MB of 1,000,000 bytes. Clients and
the model are separate processes.
"""

import asyncio
import time
from contextlib import AsyncExitStack

from tests.bench.machine import memory
from tests.bench.people import PATIENCE, connected_user, crowd
from tests.bench.servers import PAGE, Process, model_server, streamlit
from tests.bench.stream import numbers
from tests.bench.threads import keep, thread_list

PEOPLE = 10
TURNS = 200


def main() -> None:
    with thread_list() as database, model_server() as model:
        long = keep(database, model, [TURNS] * PEOPLE)
        with streamlit(PAGE, model.settings() | database) as server:
            time.sleep(2)
            print(f"started, nobody there: {memory(server.pid):.0f} MB")
            crowd(server, [next(numbers)], "tokens=50", 0.0)
            print(f"one user, one answer: {memory(server.pid):.0f} MB")
            turns = [next(numbers) for _ in range(PEOPLE)]
            crowd(server, turns, "tokens=1000 rate=50", 10.0)
            print(
                f"{PEOPLE} people, each being told 1,000 tokens: {memory(server.pid, 'VmHWM'):.0f} MB at most"
            )
            asyncio.run(_read(server, long))
            print(f"{PEOPLE} people, {TURNS} turns each: {memory(server.pid, 'VmHWM'):.0f} MB at most")
            print(f"afterwards: {memory(server.pid):.0f} MB")
        with streamlit(PAGE, database) as server:
            crowd_of_charts(server)
            print(
                f"the demo, after tables and charts were drawn: {memory(server.pid, 'VmHWM'):.0f} MB at most"
            )


async def _read(server: Process, threads: list[str]) -> None:
    """Let a user open each thread and send a message, all at once."""
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as lines:
        people = [await lines.enter_async_context(connected_user(server, next(numbers))) for _ in threads]
        for user, thread in zip(people, threads, strict=True):
            user.ready.clear()
            user._query = f"thread={thread}"
            await user.run()
        for user in people:
            await user.ready.wait()
            await user.say("tokens=200")
        for user in people:
            await user.served.wait()


def crowd_of_charts(server: Process) -> None:
    asyncio.run(_draw(server))


async def _draw(server: Process) -> None:
    async with asyncio.timeout(PATIENCE), connected_user(server, 0) as user:
        user.ready.clear()
        await user.say('hotel_prices(city="Oslo")\nhotel_prices(city="Paris")')
        await user.ready.wait()
        await asyncio.sleep(5)


if __name__ == "__main__":
    main()
