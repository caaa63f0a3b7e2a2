"""SAQ."""

import os
from collections.abc import Callable, Coroutine

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

WORK = "saq benchmarks.peers.contenders.saq.settings -q"

CONTENDER = Contender(
    requires=("saq[redis,hiredis]", "typing_extensions", "uvloop"),
    reports=("redis",),
    safety="retries 3, without which an abandoned job is aborted; a timeout of 10 s, the default; its sweep "
    "every 5 s.",
    sends=6000,
    workers=(
        Worker("100 jobs", ("drain", "latency", "io", "backlog"), WORK, 2500),
        Worker(
            "2 processes, 50 jobs", ("drain",), f"{WORK} --workers 2", 4300, {"PEERS_JOBS": "50"}
        ),
        Worker("8 jobs", ("kill",), WORK, 150, {"PEERS_JOBS": "8"}, note="timeout 10 s", watch=75),
    ),
)


def _task(
    name: str, run: Callable[..., Coroutine[None, None, None]]
) -> Callable[..., Coroutine[None, None, None]]:
    async def task(_: object, *, args: list[object]) -> None:
        await run(*args)

    task.__name__ = task.__qualname__ = name
    return task


if jobs.SERVER:
    from saq import Queue

    jobs.use_uvloop()
    queue = Queue.from_url(jobs.SERVER)
    settings = {
        "queue": queue,
        "functions": [_task(name, run) for name, run in jobs.ASYNC.items()],
        "concurrency": int(os.environ.get("PEERS_JOBS", 100)),
        "timers": {"sweep": 5},
    }


async def connect() -> None:
    await queue.connect()


async def send(job: str, *args: object) -> None:
    await queue.enqueue(job, args=args, ttl=-1, retries=3)


async def disconnect() -> None:
    await queue.disconnect()
