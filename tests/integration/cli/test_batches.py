"""`packhorse batches …` on a SQLite file."""

import json
from pathlib import Path
from typing import Any

import pytest

from packhorse import Packhorse, batch
from packhorse.flow.batches import Batch
from tests.unit.cli.conftest import Call

pytestmark = pytest.mark.backend("sqlite")


@pytest.fixture(autouse=True)
def importable(shop: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's modules can be imported here too, as by the program."""
    monkeypatch.syspath_prepend(str(Path.cwd()))


def dispatched(*divisors: int) -> Batch:
    """A batch of divisions, which no worker has seen yet."""
    from cli_shop import divide  # type: ignore[import-not-found]

    with Packhorse(config="packhorse.toml") as app:
        members = [divide.using(tries=1).bind(1, b) for b in divisors]
        return batch(members, name="divisions").allow_failures().dispatch_on(app)


def parsed(shop: Call, *arguments: str) -> Any:
    return json.loads(shop(*arguments, "--json").stdout)


def test_a_batch_is_listed_shown_retried_and_forgotten(shop: Call) -> None:
    assert shop("batches", "list").exit_code == 0
    found = dispatched(1, 2, 0)
    [one] = parsed(shop, "batches", "list")
    assert (one["id"], one["state"], one["pending"]) == (str(found.id), "running", 3)
    assert shop("work", "--stop-when-empty", "--processes", "0").exit_code == 0
    said = shop("batches", "show", str(found.id))
    assert said.exit_code == 1
    assert "finished with failures" in said.stdout
    assert f"packhorse batches retry {found.id}" in said.stdout
    said = shop("batches", "retry", str(found.id))
    assert "1 member will run again" in said.stdout
    assert parsed(shop, "batches", "show", str(found.id))["pending"] == 1
    assert shop("work", "--stop-when-empty", "--processes", "0").exit_code == 0
    assert "forgot 1 batch" in shop("batches", "prune", "--older-than", "0s").stdout
    assert shop("batches", "show", str(found.id)).exit_code == 1


def test_what_never_ends_is_ended_and_pruned(shop: Call) -> None:
    found = dispatched(1, 2)
    assert "ended 0 batches" in shop("batches", "prune", "--unfinished", "1h").stdout
    said = shop("batches", "prune", "--unfinished", "0s", "--older-than", "0s").stdout
    assert "ended 1 batch: what was pending is dropped" in said
    assert "forgot 1 batch" in said
    assert shop("batches", "show", str(found.id)).exit_code == 1


def test_watching_ends_when_the_batch_is_over(shop: Call) -> None:
    found = dispatched(1, 2)
    assert shop("work", "--stop-when-empty", "--processes", "0").exit_code == 0
    said = shop("batches", "show", str(found.id), "--watch")
    assert said.exit_code == 0
    assert "succeeded" in said.stdout
    assert parsed(shop, "batches", "show", str(found.id), "--watch")["progress"] == 1.0


def test_cancelling(shop: Call) -> None:
    found = dispatched(1, 2)
    assert "cancelled" in shop("batches", "cancel", str(found.id)).stdout
    said = shop("batches", "cancel", str(found.id))
    assert said.exit_code == 1
    assert "cancelled already" in said.stderr
    assert shop("work", "--stop-when-empty", "--processes", "0").exit_code == 0
    one = parsed(shop, "batches", "show", str(found.id))
    assert (one["state"], one["dropped"]) == ("cancelled", 2)


def test_a_job_says_which_batch_it_belongs_to(shop: Call) -> None:
    found = dispatched(1)
    [one] = parsed(shop, "queue", "jobs", "default")
    assert one["batch"] == str(found.id)
    assert str(found.id) in shop("job", "show", one["id"]).stdout
