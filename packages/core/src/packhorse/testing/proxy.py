"""A proxy that stands before a server and delays, stalls, cuts and half-closes its connections."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

T = TypeVar("T")


class FaultProxy:
    """Passes on what clients and a TCP server say to each other, until it is told otherwise.

        with FaultProxy("127.0.0.1", server_port) as proxy:
            driver = open_driver("127.0.0.1", proxy.port)
            proxy.cut()

    Commands may be given from any thread, and hold when they have returned.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self._server = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._pairs: set[_Pair] = set()
        self._delay = 0.0
        self._refusing = False
        self._losing = False

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._pairs)

    def delay(self, seconds: float) -> None:
        """From now on whatever is said arrives so much later, in both directions; 0 ends that."""
        self._delay = seconds

    def stall(self) -> None:
        """Nothing arrives any more, and nobody is told."""
        self._run(self._let_flow, False)

    def refuse(self) -> None:
        """From now on new connections are ended at once."""
        self._refusing = True

    def lose_replies(self) -> None:
        """What clients say still arrives; at the first answer their connection is cut instead."""
        self._losing = True

    def resume(self) -> None:
        """Ends `stall`, `refuse` and `lose_replies`; what was stalled arrives."""
        self._refusing = self._losing = False
        self._run(self._let_flow, True)

    def cut(self) -> int:
        """Cuts all connections, on both sides; how many there were."""
        return self._run(self._cut)

    def half_close(self) -> int:
        """Tells clients that the server has ended, and the server nothing; how many there were."""
        return self._run(self._half_close)

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        self._run(self._open)
        return self

    def __exit__(self, *error: object) -> None:
        self._run(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, command: Callable[..., Coroutine[None, None, T]], *arguments: object) -> T:
        return asyncio.run_coroutine_threadsafe(command(*arguments), self._loop).result(timeout=10)

    async def _open(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._listener.close()
        self._flowing.set()
        await self._cut()
        # Not cancelled: asyncio itself complains of a connection whose task is.
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=5)

    async def _let_flow(self, flowing: bool) -> None:
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _cut(self) -> int:
        pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.cut()
        return len(pairs)

    async def _half_close(self) -> int:
        for pair in self._pairs:
            pair.deaf = True
            pair.client.write_eof()
        return len(self._pairs)

    async def _serve(self, said: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            if self._refusing:
                raise ConnectionRefusedError
            answers, server = await asyncio.open_connection(*self._server)
        except OSError:
            client.transport.abort()
            return
        pair = _Pair(client, server)
        self._pairs.add(pair)
        pumps = [
            asyncio.ensure_future(pump)
            for pump in (self._pump(said, server, pair), self._pump(answers, client, pair))
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        self._pairs.discard(pair)
        pair.cut()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, pair: "_Pair"
    ) -> None:
        """Passes on what one side says, until either has ended."""
        while data := await source.read(64 * 1024):
            await asyncio.sleep(self._delay)
            await self._flowing.wait()
            if target is pair.client and self._losing:
                return
            if target is pair.client and pair.deaf:
                continue
            target.write(data)
            await target.drain()


class _Pair:
    """A client's connection and the one to the server; a deaf client is told nothing more."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.deaf = False

    def cut(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()
