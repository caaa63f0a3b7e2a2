"""streaQ."""

import os

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

WORK = "streaq run benchmarks.peers.contenders.streaq:worker"

CONTENDER = Contender(
    requires=("streaq", "uvloop"),
    reports=("coredis",),
    safety="Keeps a job until it is done by itself; for the kill idle_timeout 10 s (60).",
    sends=3300,
    bulk=14000,
    workers=(
        Worker("100 jobs", ("drain", "latency", "io", "backlog"), WORK, 1300),
        Worker("2 processes, 100 jobs", ("drain",), f"{WORK} --workers 2", 2200),
        Worker(
            "8 jobs",
            ("kill",),
            WORK,
            150,
            {"PEERS_JOBS": "8", "PEERS_TIMEOUT": "10"},
            note="idle_timeout 10 s",
            watch=40,
        ),
    ),
)

if jobs.SERVER:
    from streaq import Worker as Streaq

    jobs.use_uvloop()
    worker = Streaq(
        redis_url=jobs.SERVER,
        concurrency=int(os.environ.get("PEERS_JOBS", 100)),
        idle_timeout=int(os.environ.get("PEERS_TIMEOUT", 60)),
        anyio_kwargs={"use_uvloop": True},
    )
    tasks = {
        name: worker.task(name=name, ttl=0, silent=True)(run) for name, run in jobs.ASYNC.items()
    }


async def connect() -> None:
    await worker.__aenter__()


async def send(job: str, *args: object) -> None:
    await tasks[job].enqueue(*args)


async def send_many(job: str, many: list[tuple[object, ...]]) -> None:
    await worker.enqueue_many([tasks[job].enqueue(*args) for args in many])


async def disconnect() -> None:
    await worker.__aexit__(None, None, None)
