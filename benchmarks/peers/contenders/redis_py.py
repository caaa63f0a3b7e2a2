"""What redis-py and the server allow, with no job queue on top."""

import time
from collections.abc import Callable

from benchmarks.peers import jobs
from benchmarks.peers.contender import Contender

BODY = b'{"id":"0123456789abcdef0123456789abcdef","job":"noop","args":[12345]}'
"""70 bytes, a small job."""

BATCH = 100
POP = """
local got = redis.call('LPOP', KEYS[1], ARGV[1])
if not got then return {} end
redis.call('RPUSH', KEYS[2], unpack(got))
return got"""
PUSH = "return redis.call('LPUSH', KEYS[1], ARGV[1])"

CONTENDER = Contender(
    requires=("redis", "hiredis"),
    reports=(),
    safety="None: these are limits of the client, not a queue.",
    sends=8000,
)

if jobs.SERVER:
    import redis

    client = redis.Redis.from_url(jobs.SERVER)


def raw(count: int) -> dict[str, float]:
    """Jobs a second by each way to move them; every way has `count` jobs."""
    ways: dict[str, Callable[[int], None]] = {
        "push one by one": push,
        "push one by one, by a script": push_scripted,
        "take and settle one by one": take,
        "push 100 in a pipeline": push_pipelined,
        "take and settle 100 by a script and a pipeline": take_batch,
        "take and settle 100 of a stream": take_stream,
    }
    rates = {}
    for name, way in ways.items():
        client.flushall()
        _fill(count)
        begun = time.perf_counter()
        way(count)
        rates[name] = count / (time.perf_counter() - begun)
    return rates


def _fill(count: int) -> None:
    """A list and a stream of `count` jobs."""
    client.xgroup_create("stream", "group", id="0", mkstream=True)
    for _ in range(0, count, BATCH):
        pipe = client.pipeline(transaction=False)
        pipe.rpush("full", *[BODY] * BATCH)
        for _ in range(BATCH):
            pipe.xadd("stream", {"body": BODY})
        pipe.execute()


def push(count: int) -> None:
    for _ in range(count):
        client.lpush("queue", BODY)


def push_scripted(count: int) -> None:
    script = client.register_script(PUSH)
    for _ in range(count):
        script(keys=["queue"], args=[BODY])


def take(count: int) -> None:
    for _ in range(count):
        client.lrem("busy", 1, client.lmove("full", "busy", "RIGHT", "LEFT"))


def push_pipelined(count: int) -> None:
    for _ in range(0, count, BATCH):
        pipe = client.pipeline(transaction=False)
        for _ in range(BATCH):
            pipe.lpush("queue", BODY)
        pipe.execute()


def take_batch(count: int) -> None:
    script = client.register_script(POP)
    for _ in range(0, count, BATCH):
        pipe = client.pipeline(transaction=False)
        for body in script(keys=["full", "busy"], args=[BATCH]):
            pipe.lrem("busy", 1, body)
        pipe.execute()


def take_stream(count: int) -> None:
    for _ in range(0, count, BATCH):
        for _, entries in client.xreadgroup("group", "worker", {"stream": ">"}, count=BATCH):
            ids = [id for id, _ in entries]
            pipe = client.pipeline(transaction=False)
            pipe.xack("stream", "group", *ids)
            pipe.xdel("stream", *ids)
            pipe.execute()
