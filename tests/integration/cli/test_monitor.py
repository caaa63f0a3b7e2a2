"""`packhorse monitor` and what it tells."""

import json
import time
from pathlib import Path

import pytest

from packhorse import Packhorse, Unsupported, events
from packhorse.monitor import Limits, measure
from packhorse.testing import Recorder, eventually
from tests.integration.cli.conftest import Start
from tests.unit.cli.conftest import Call

pytestmark = pytest.mark.backend("sqlite")


def fill(call: Call, queue: str, jobs: int) -> None:
    for _ in range(jobs):
        call("dispatch", "cli_shop.divide", '{"a": 1, "b": 1}', "--queue", queue)


def test_the_exit_code_tells_whether_anything_is_over(shop: Call) -> None:
    fill(shop, "a", 3)
    fill(shop, "b", 1)
    within = shop("monitor", "--max", "3", "--oldest", "1h")
    assert (within.exit_code, "busy" in within.stdout) == (0, False)
    over = shop("monitor", "--max", "2", "--oldest", "1h", "--json")
    assert over.exit_code == 1
    found = {one["queue"]: one for one in json.loads(over.stdout)}
    assert {name: (one["waiting"], one["busy"], one["late"]) for name, one in found.items()} == {
        "a": (3, True, False),
        "b": (1, False, False),
        "default": (0, False, False),
    }
    assert shop("monitor", "--max", "2", "--queues", "b,default").exit_code == 0
    time.sleep(0.05)
    late = shop("monitor", "--oldest", "10ms", "--queues", "a")
    assert late.exit_code == 1
    assert "late" in late.stdout
    assert shop("monitor").exit_code == 2


def test_listeners_of_the_app_hear_of_it(shop: Call, start: Start) -> None:
    fill(shop, "a", 3)
    Path("cli_shop.py").write_text(
        Path("cli_shop.py").read_text()
        + """
from packhorse import Packhorse
from packhorse.events import QueueBusy

app = Packhorse()


@app.on(QueueBusy)
def page(event: QueueBusy) -> None:
    print(f"{event.queue} has {event.waiting}, more than {event.limit}")
"""
    )
    program = start("monitor", "--max", "2")
    out, _ = program.communicate(timeout=30)
    assert "a has 3, more than 2" in out
    assert program.returncode == 1


def test_it_goes_on_until_it_is_stopped(shop: Call, start: Start) -> None:
    fill(shop, "a", 3)
    program = start("monitor", "--max", "2", "--every", "100ms", "--json")
    assert program.stdout is not None
    for _ in range(3):
        said = json.loads(program.stdout.readline())
        assert (said["queue"], said["waiting"], said["busy"]) == ("a", 3, True)
    program.terminate()


def test_delayed_jobs_do_not_wait_and_what_waits_is_told_with_its_age() -> None:
    heard = Recorder()
    with Packhorse("memory://") as app:
        app.on(events.Event)(heard)
        app.queue().push_raw("a", {}, delay=60)
        app.queue().push_raw("b", {})
        eventually(lambda: (app.queue().oldest_age() or 0) > 0.05)
        (found,) = measure(app, app.connection(), None, Limits(1, 0.05))
        assert (found.waiting, found.busy, found.late) == (1, False, True)
    (late,) = heard.of(events.LongWait)
    assert (late.queue, late.limit, late.oldest) == ("default", 0.05, found.oldest)
    assert heard.of(events.QueueBusy) == []


def test_a_broker_that_cannot_tell_ages_says_so() -> None:
    with Packhorse("memory://?like=sqs") as app:
        app.queue().push_raw("b", {})
        assert measure(app, app.connection(), None, Limits(0))[0].busy
        with pytest.raises(Unsupported, match="cannot tell how old"):
            measure(app, app.connection(), None, Limits(0, 5.0))
