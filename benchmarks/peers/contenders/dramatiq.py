"""Dramatiq."""

import os

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

WORK = "dramatiq benchmarks.peers.contenders.dramatiq"
SOON = {"PEERS_TIMEOUT": "10"}

CONTENDER = Contender(
    requires=("dramatiq[redis]", "hiredis"),
    reports=("redis",),
    safety="Acknowledges after the run by itself; for the kill heartbeat_timeout 10 s (60) and "
    "maintenance_chance 100 times the default.",
    sends=7000,
    workers=(
        Worker("8 threads", ("drain", "latency", "backlog"), f"{WORK} -p 1 -t 8", 2000),
        Worker("2 processes, 8 threads", ("drain",), f"{WORK} -p 2 -t 8", 4000),
        Worker("100 threads", ("io",), f"{WORK} -p 1 -t 100", 3000),
        Worker(
            "8 threads",
            ("kill",),
            f"{WORK} -p 1 -t 8",
            150,
            SOON,
            note="heartbeat_timeout 10 s",
            watch=40,
        ),
    ),
)

if jobs.SERVER:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    settings = {}
    if soon := os.environ.get("PEERS_TIMEOUT"):
        settings = {"heartbeat_timeout": int(soon) * 1000, "maintenance_chance": 100_000}
    broker = RedisBroker(url=jobs.SERVER, **settings)
    dramatiq.set_broker(broker)
    tasks = {name: dramatiq.actor(run, actor_name=name) for name, run in jobs.SYNC.items()}


def send(job: str, *args: object) -> None:
    tasks[job].send(*args)
