"""What a worker's processes log with --json: lines of JSON, each with the facts of its job."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import Start
from tests.unit.cli.conftest import Call

pytestmark = pytest.mark.backend("sqlite")

JOBS = """
import logging

from packhorse import Job, JobContext, job


class Talks(Job):
    alone: bool

    def isolate(self) -> bool:
        return self.alone

    def handle(self, ctx: JobContext) -> None:
        ctx.log.info("two\\nlines", extra={"step": 1})
        try:
            raise ValueError("no\\nway")
        except ValueError:
            logging.getLogger("shop").exception("and\\nthis")
        logging.getLogger("shop").info("nobody asked for this")
"""


@pytest.mark.parametrize("processes", [0, 2])
def test_everything_is_a_line_of_json(shop: Call, start: Start, processes: int) -> None:
    Path("cli_talks.py").write_text(JOBS)
    ids = []
    for alone in ("false", "true"):
        said = shop("dispatch", "cli_talks.Talks", f'{{"alone": {alone}}}')
        ids.append(said.stdout.strip())
    command = ("work", "--json", "--import", "cli_talks", "--stop-when-empty")
    worker = start(*command, "--processes", str(processes))
    out, err = worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert {json.loads(line)["event"] for line in out.splitlines()} >= {"JobProcessed"}
    records = [json.loads(line) for line in err.splitlines()]
    for id in ids:
        first, second = [one for one in records if one["id"] == id]
        assert_is_of_its_job(first)
        assert_is_of_its_job(second)
        assert (first["level"], first["message"], first["step"]) == ("info", "two\nlines", 1)
        assert (second["logger"], second["error"]) == ("shop", "ValueError: no\nway")
        assert "raise ValueError" in second["traceback"]


def assert_is_of_its_job(record: dict[str, Any]) -> None:
    facts = [record[name] for name in ("job", "queue", "attempt")]
    assert facts == ["cli_talks.Talks", "default", 1]


def test_a_file_of_ones_own_is_configured_as_ever(shop: Call, start: Start) -> None:
    Path("cli_talks.py").write_text(
        JOBS
        + """
import packhorse.logs

handler = logging.FileHandler("log")
handler.setFormatter(packhorse.logs.JsonLines())
logging.basicConfig(level=logging.INFO, handlers=[handler])
"""
    )
    shop("dispatch", "cli_talks.Talks", '{"alone": false}')
    command = ("work", "--json", "--import", "cli_talks", "--stop-when-empty", "--processes", "0")
    worker = start(*command)
    _, err = worker.communicate(timeout=60)
    assert (worker.returncode, err) == (0, "")
    records = [json.loads(line) for line in Path("log").read_text().splitlines()]
    *said, end = [one for one in records if one["job"] == "cli_talks.Talks"]
    assert [one["logger"] for one in said] == ["packhorse.job", "shop", "shop"]
    assert end["logger"] == "packhorse.worker"
    assert ": done in " in end["message"]
    assert end["duration"] > 0
    assert_is_of_its_job(end)
