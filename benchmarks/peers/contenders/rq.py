"""RQ."""

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender, Worker

WORK = "rq worker -q --url $PEERS_SERVER"
POOL = "rq worker-pool -q --url $PEERS_SERVER"
SIMPLE = "-w rq.worker.SimpleWorker"

CONTENDER = Contender(
    requires=("rq", "hiredis"),
    reports=("redis",),
    safety="Retry(max=3), without which an abandoned job fails; for the kill --maintenance-interval 5 "
    "and --worker-ttl 20.",
    sends=3200,
    bulk=12000,
    workers=(
        Worker("SimpleWorker", ("drain", "latency", "backlog"), f"{WORK} {SIMPLE}", 220),
        Worker("Worker, a fork each", ("drain",), WORK, 55),
        Worker("2 x SimpleWorker", ("drain",), f"{POOL} -n 2 {SIMPLE}", 440),
        Worker("8 x Worker, a fork each", ("io",), f"{POOL} -n 8", 110, note="has no more at once"),
        Worker(
            "8 x Worker, a fork each",
            ("kill",),
            f"{WORK} --maintenance-interval 5 --worker-ttl 20",
            80,
            copies=8,
            note="worker-ttl 20 s",
            watch=180,
        ),
    ),
)

if jobs.SERVER:
    import redis
    import rq

    queue = rq.Queue(connection=redis.Redis.from_url(jobs.SERVER))
    RETRY = rq.Retry(max=3)


def send(job: str, *args: object) -> None:
    queue.enqueue(jobs.SYNC[job], *args, result_ttl=0, retry=RETRY)


def send_many(job: str, many: list[tuple[object, ...]]) -> None:
    with queue.connection.pipeline() as pipe:
        queue.enqueue_many(
            [
                rq.Queue.prepare_data(jobs.SYNC[job], args, result_ttl=0, retry=RETRY)
                for args in many
            ],
            pipeline=pipe,
        )
        pipe.execute()
