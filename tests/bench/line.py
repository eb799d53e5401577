"""A relay between a browser and a server that counts the compressed bytes to the browser.

    python -m tests.bench.line PORT SERVER_PORT

Answers each line on its input with ``{"received": …}``: the bytes received over WebSockets and as streams of
events so far. It neither changes nor delays anything.
"""

import asyncio
import json
import sys
from contextlib import suppress

received = 0


async def _relay(here: tuple[asyncio.StreamReader, asyncio.StreamWriter], server: int) -> None:
    there = await asyncio.open_connection("127.0.0.1", server)
    async with asyncio.TaskGroup() as both:
        both.create_task(_carry(here[0], there[1]))
        both.create_task(_carry(there[0], here[1], down=True))


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, down: bool = False) -> None:
    global received
    counts = False
    with suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            if counts:
                received += len(data)
            if down and data.startswith(b"HTTP/1.1 "):
                head = data.partition(b"\r\n\r\n")[0].lower()
                counts = b"text/event-stream" in head or head.startswith(b"http/1.1 101")
            await target.drain()
    target.close()


async def main(port: int, server: int) -> None:
    await asyncio.start_server(lambda *here: _relay(here, server), "127.0.0.1", port)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps({"received": received}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
