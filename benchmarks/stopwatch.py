"""Writes down when a worker of the command line begins and ends; imported by it, with the jobs."""

import os
import time

from benchmarks import jobs  # noqa: F401  (the worker is to know them)
from packhorse import Packhorse
from packhorse.events import WorkerEvent, WorkerStarting, WorkerStopping

app = Packhorse()


def stamp(event: WorkerEvent) -> None:
    with open(os.environ["BENCHMARK_TIMES"], "a") as file:
        file.write(f"{time.time()}\n")


app.on(WorkerStarting)(stamp)
app.on(WorkerStopping)(stamp)
