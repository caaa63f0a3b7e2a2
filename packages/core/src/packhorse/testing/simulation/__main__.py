"""Runs simulations from the command line: fresh seeds, or one again: `--seed 52 --like sqs-fifo`."""

import argparse
import logging
import random
import sys
import time

from packhorse.driver.personality import PERSONALITIES
from packhorse.testing.simulation.play import Found, simulate


def main(arguments: list[str]) -> int:
    asked = _parser().parse_args(arguments)
    logging.disable(logging.CRITICAL)  # the simulated workers complain of their bad weather
    for like in [asked.like] if asked.like else PERSONALITIES:
        seed = random.randrange(10**9) if asked.seed is None else asked.seed
        started, hours, jobs, runs = time.perf_counter(), 0.0, 0, 0
        while not runs or (asked.seed is None and hours < asked.hours):
            try:
                report = simulate(seed + runs, like=like)
            except Found as found:
                _complain(found, like, whole=asked.trace)
                return 1
            hours, jobs, runs = hours + report.worker_hours, jobs + report.jobs, runs + 1
        print(
            f"{like:10}  seeds {seed} to {seed + runs - 1}: {hours:,.0f} worker-hours, "
            f"{jobs:,} jobs, {time.perf_counter() - started:.1f} s, every promise kept",
            flush=True,
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulate",
        description="Many workers in one thread on a virtual clock: replies get lost, processes die "
        "and stand still, and the promises of docs/guarantees.md are checked all the way.",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="run this one simulation again")
    parser.add_argument(
        "--hours", type=float, default=100, metavar="H", help="worker-hours for each broker (100)"
    )
    parser.add_argument("--like", choices=PERSONALITIES, help="whose limits; else each in turn")
    parser.add_argument(
        "--trace", action="store_true", help="show all that happened before, not its story alone"
    )
    return parser


def _complain(found: Found, like: str, *, whole: bool) -> None:
    print("\n".join(found.trace if whole else found.story), file=sys.stderr)
    print(f"{like}: {found}\nrun it again with --seed {found.seed} --like {like}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
