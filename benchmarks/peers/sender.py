"""Sends jobs to a contender, in its own environment, and prints as JSON how long that took.

python -m benchmarks.peers.sender celery noop 1000 [--bulk] [--rate 200] [--within 35]
"""

import argparse
import asyncio
import importlib
import inspect
import json
import time
from types import ModuleType
from typing import Any

BULK = 1000
"""Jobs in one call for many."""


async def _done(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


async def _one_by_one(module: ModuleType, job: str, numbers: range, end: float) -> int:
    send, waits = module.send, inspect.iscoroutinefunction(module.send)
    for number in numbers:
        if waits:
            await send(job, number)
        else:
            send(job, number)
        if number % BULK == 0 and time.perf_counter() > end:
            return number + 1 - numbers.start
    return len(numbers)


async def _in_bulk(module: ModuleType, job: str, numbers: range, end: float) -> int:
    for sent in range(0, len(numbers), BULK):
        if time.perf_counter() > end:
            return sent
        await _done(module.send_many(job, [(number,) for number in numbers[sent : sent + BULK]]))
    return len(numbers)


async def _paced(module: ModuleType, job: str, numbers: range, rate: float) -> int:
    """Each at its own moment, however long the one before took; it carries when it was sent."""
    begun = time.perf_counter()
    for sent, number in enumerate(numbers):
        wait = begun + sent / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        await _done(module.send(job, number, time.time()))
    return len(numbers)


async def main(options: argparse.Namespace) -> dict[str, float]:
    module = importlib.import_module(f"benchmarks.peers.contenders.{options.contender}")
    if hasattr(module, "raw"):
        return {name: float(rate) for name, rate in module.raw(options.count).items()}
    await _done(getattr(module, "connect", lambda: None)())
    cpu, begun = time.process_time(), time.perf_counter()
    numbers, end = range(options.first, options.first + options.count), begun + options.within
    if options.rate:
        sent = await _paced(module, options.job, numbers, options.rate)
    else:
        send = _in_bulk if options.bulk else _one_by_one
        sent = await send(module, options.job, numbers, end)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    await _done(getattr(module, "disconnect", lambda: None)())
    return {"sent": sent, "seconds": seconds, "cpu": cpu}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("contender")
    parser.add_argument("job")
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--bulk", action="store_true")
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--within", type=float, default=float("inf"))
    print(json.dumps(asyncio.run(main(parser.parse_args()))), flush=True)
