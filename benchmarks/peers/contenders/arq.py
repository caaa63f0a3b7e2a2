"""arq."""

import os
from collections.abc import Callable, Coroutine

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

MODULE = "benchmarks.peers.contenders.arq"
WORK = f"arq {MODULE}.Settings --custom-log-dict {MODULE}.QUIET"

CONTENDER = Contender(
    requires=("arq", "hiredis", "uvloop"),
    reports=("redis",),
    safety="Keeps a job until it is done, under a key that lasts 10 s longer than job_timeout; for the "
    "kill job_timeout 10 s (300).",
    sends=2800,
    workers=(
        Worker("100 jobs", ("drain", "latency", "io", "backlog"), WORK, 1000),
        Worker("2 processes, 100 jobs", ("drain",), WORK, 1200, copies=2),
        Worker(
            "8 jobs",
            ("kill",),
            WORK,
            150,
            {"PEERS_JOBS": "8", "PEERS_TIMEOUT": "10"},
            note="job_timeout 10 s",
            watch=40,
        ),
    ),
)

QUIET = {"version": 1, "disable_existing_loggers": False}
"""Its log has two lines for every job."""


def _task(
    run: Callable[..., Coroutine[None, None, None]],
) -> Callable[..., Coroutine[None, None, None]]:
    async def task(_: object, *args: object) -> None:
        await run(*args)

    return task


if jobs.SERVER:
    from arq import ArqRedis, create_pool, func
    from arq.connections import RedisSettings

    jobs.use_uvloop()
    pool: ArqRedis

    class Settings:
        """What its command line reads."""

        functions = [func(_task(run), name=name) for name, run in jobs.ASYNC.items()]  # noqa: RUF012
        redis_settings = RedisSettings.from_dsn(jobs.SERVER)
        max_jobs = int(os.environ.get("PEERS_JOBS", 100))
        job_timeout = int(os.environ.get("PEERS_TIMEOUT", 300))
        keep_result = 0
        log_results = False


async def connect() -> None:
    global pool
    pool = await create_pool(Settings.redis_settings)


async def send(job: str, *args: object) -> None:
    await pool.enqueue_job(job, *args)


async def disconnect() -> None:
    await pool.aclose()
