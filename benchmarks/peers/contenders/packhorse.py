"""packhorse, as it stands in this tree."""

import os

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker
from packhorse import Packhorse, job

WORK = "packhorse work --quiet --import benchmarks.peers.contenders.packhorse"
URL = {"PACKHORSE_URL": "$PEERS_SERVER"}
ASYNC = {**URL, "PEERS_ASYNC": "1"}
LEASE = {**URL, "PACKHORSE_CONFIG": "benchmarks/peers/contenders/packhorse.toml"}

CONTENDER = Contender(
    requires=("packages/core", "packages/driver-redis"),
    reports=("packhorse", "packhorse-redis", "msgspec", "hiredis"),
    safety="Nothing to set: a job is the server's until it is done, and each attempt has a lease of "
    "30 s; for the kill 10 s.",
    sends=8000,
    bulk=60000,
    workers=(
        Worker("8 threads", ("drain", "latency", "backlog"), WORK, 40000, URL),
        Worker("2 processes, 8 threads", ("drain",), f"{WORK} --processes 2", 50000, URL),
        Worker("async, 8 jobs", ("drain", "latency"), WORK, 25000, ASYNC),
        Worker("100 threads", ("io",), f"{WORK} --concurrency 100", 6000, URL),
        Worker("async, 100 jobs", ("io",), f"{WORK} --concurrency 100", 7000, ASYNC),
        Worker("8 threads", ("kill",), WORK, 150, LEASE, note="lease 10 s", watch=40),
    ),
)

app: Packhorse

TASKS = {
    name: job(run)
    for name, run in (jobs.ASYNC if "PEERS_ASYNC" in os.environ else jobs.SYNC).items()
}
"""Made wherever this is imported, so that a worker knows them."""


def connect() -> None:
    global app
    app = Packhorse(jobs.SERVER)


def send(name: str, *args: object) -> None:
    TASKS[name].dispatch(*args)


def send_many(name: str, many: list[tuple[object, ...]]) -> None:
    app.push_many([TASKS[name].bind(*args) for args in many])
