"""Dispatching from one process, one by one or in bulk; and what the bare client library does."""

from benchmarks.peers.results import Numbers
from benchmarks.peers.stage import Stage


def dispatch(stage: Stage, jobs: int, bulk: bool) -> Numbers:
    """Jobs a second, and the CPU of both sides for a thousand of them."""
    stage.server.empty()
    before = stage.server.cpu()
    sent = stage.send("noop", jobs, *(["--bulk"] if bulk else []))
    return {
        "rate": jobs / sent["seconds"],
        "cpu": sent["cpu"] / jobs * 1000,
        "server_cpu": (stage.server.cpu() - before) / jobs * 1000,
    }


def raw(stage: Stage, jobs: int) -> Numbers:
    """Operations a second, by what they are."""
    stage.server.empty()
    return stage.send("noop", jobs)
