"""One address in front of several apis: each new connection goes to the next api that answers."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

LARGEST_PIECE = 1 << 16


class Front:
    """Passes connections on; it looks at nothing in them.

    Parameters
    ----------
    ports
        Loopback ports of the apis.
    """

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._turns = count()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client with the next api, and carry bytes both ways until one side ends."""
        backend = await self._connect()
        if backend is not None:
            ways = [(reader, backend[1]), (backend[0], writer)]
            tasks = [asyncio.create_task(_carry(*way)) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            backend[1].close()
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        turn = next(self._turns)
        for step in range(len(self._ports)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(
                    "127.0.0.1", self._ports[(turn + step) % len(self._ports)]
                )
        return None


@contextmanager
def serve_front(ports: list[int]) -> Iterator[str]:
    """Run a front in a thread of its own; give its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="front")
    thread.start()
    starting = asyncio.start_server(Front(ports).pass_on, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(10)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(LARGEST_PIECE):
            writer.write(piece)
            await writer.drain()
