"""Taskiq, with the stream broker; its list broker has no acknowledgement."""

import os

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

WORK = "taskiq worker benchmarks.peers.contenders.taskiq:broker --log-level ERROR"

CONTENDER = Contender(
    requires=("taskiq", "taskiq-redis", "hiredis", "uvloop"),
    reports=("redis",),
    safety="RedisStreamBroker, which acknowledges after the run; for the kill idle_timeout 10 s (600) and "
    "unacknowledged_lock_timeout 10 s (none). It looks for the jobs of dead workers only after it has got "
    "new ones.",
    sends=3700,
    workers=(
        Worker("100 jobs", ("drain", "latency", "io", "backlog"), f"{WORK} --workers 1", 3000),
        Worker("2 processes, 100 jobs", ("drain",), f"{WORK} --workers 2", 6000),
        Worker(
            "8 jobs",
            ("kill",),
            f"{WORK} --workers 1 --max-async-tasks 8",
            150,
            {"PEERS_TIMEOUT": "10"},
            note="idle_timeout 10 s",
            watch=60,
        ),
    ),
)

if jobs.SERVER:
    from taskiq_redis import RedisStreamBroker

    jobs.use_uvloop()
    settings = {}
    if soon := os.environ.get("PEERS_TIMEOUT"):
        settings = {
            "idle_timeout": int(soon) * 1000,
            "unacknowledged_lock_timeout": int(soon),
        }
    # From 0: also what was sent before a worker started for the first time.
    broker = RedisStreamBroker(jobs.SERVER, consumer_id="0", **settings)
    tasks = {name: broker.register_task(run, task_name=name) for name, run in jobs.ASYNC.items()}


async def connect() -> None:
    await broker.startup()


async def send(job: str, *args: object) -> None:
    await tasks[job].kiq(*args)


async def disconnect() -> None:
    await broker.shutdown()
