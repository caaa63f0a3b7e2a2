"""Celery."""

import os

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

WORK = (
    "celery -A benchmarks.peers.contenders.celery:app worker -l ERROR "
    "--without-gossip --without-mingle"
)
SOON = {"PEERS_TIMEOUT": "10"}

CONTENDER = Contender(
    requires=("celery[redis]", "hiredis"),
    reports=("redis", "kombu"),
    safety="task_acks_late and task_reject_on_worker_lost; for the kill also visibility_timeout 10 s "
    "(the default is 1 h), unacked_restore_throttle 1 (10) and a prefetch multiplier of 1.",
    sends=2100,
    bulk=2500,
    workers=(
        Worker(
            "8 threads",
            ("drain", "latency", "backlog"),
            f"{WORK} -P threads -c 8 --prefetch-multiplier 16",
            900,
        ),
        Worker("2 processes", ("drain",), f"{WORK} -P prefork -c 2 --prefetch-multiplier 64", 900),
        Worker("100 threads", ("io",), f"{WORK} -P threads -c 100", 900),
        Worker(
            "8 processes",
            ("kill",),
            f"{WORK} -P prefork -c 8 --prefetch-multiplier 1",
            100,
            SOON,
            note="visibility_timeout 10 s",
            watch=40,
        ),
    ),
)

if jobs.SERVER:
    from celery import Celery

    app = Celery("peers", broker=jobs.SERVER)
    app.conf.update(task_ignore_result=True, task_acks_late=True, task_reject_on_worker_lost=True)
    if soon := os.environ.get("PEERS_TIMEOUT"):
        app.conf.broker_transport_options = {
            "visibility_timeout": int(soon),
            "unacked_restore_throttle": 1,
        }
    tasks = {name: app.task(run, name=name) for name, run in jobs.SYNC.items()}


def connect() -> None:
    """Its imports and its connection, before the clock starts."""
    with app.producer_or_acquire() as producer:
        producer.connection.ensure_connection()


def send(job: str, *args: object) -> None:
    tasks[job].delay(*args)


def send_many(job: str, many: list[tuple[object, ...]]) -> None:
    with app.producer_or_acquire() as producer, producer.batch(len(many)):
        for args in many:
            tasks[job].apply_async(args, producer=producer)
