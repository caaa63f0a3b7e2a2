"""Huey."""

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

WORK = "huey_consumer benchmarks.peers.contenders.huey.huey -q"

CONTENDER = Contender(
    requires=("huey", "redis", "hiredis"),
    reports=(),
    safety="Has none: a job leaves the server when a worker takes it.",
    sends=7000,
    workers=(
        Worker("8 threads", ("drain", "latency", "backlog"), f"{WORK} -k thread -w 8", 2600),
        Worker("2 processes", ("drain",), f"{WORK} -k process -w 2", 5500),
        Worker("100 threads", ("io",), f"{WORK} -k thread -w 100", 2000),
        Worker("8 threads", ("kill",), f"{WORK} -k thread -w 8", 150, watch=20),
    ),
)

if jobs.SERVER:
    from huey import RedisHuey

    huey = RedisHuey("peers", url=jobs.SERVER, results=False)
    tasks = {name: huey.task(name=name)(run) for name, run in jobs.SYNC.items()}


def send(job: str, *args: object) -> None:
    tasks[job](*args)
