"""Changing keys: what waits and what failed is sealed anew, under load too, and nothing is lost."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse import JobContext, Packhorse, Unique, job
from packhorse.testing import eventually
from packhorse_encryption.keyring import generate
from packhorse_encryption.rotation import needs, rotate
from tests.integration.journal import journal
from tests.integration.working import drain, working
from tests.unit.cli.conftest import Call, call

__all__ = ["call"]

pytestmark = pytest.mark.backend("sqlite")

OLD, NEW = generate("old"), generate("new")

CONFIG = """
plugins = ["encryption"]
[connections.main]
url = "sqlite:///jobs.db"
codecs = ["encryption"]
[encryption]
file = "keys"
"""


@job(name="rotation.notes")
def notes(number: int) -> None:
    journal.note(str(number))


@job(name="rotation.fails")
def fails(ctx: JobContext) -> None:
    raise ValueError("it fails")


@pytest.fixture(autouse=True)
def _configured(call: Call) -> None:
    Path("packhorse.toml").write_text(CONFIG)
    ring(OLD)


@pytest.fixture
def app() -> Iterator[Packhorse]:
    with Packhorse() as app:
        yield app


def ring(*keys: str) -> None:
    """What the processes from now on have."""
    Path("keys").write_text("\n".join(keys))
    Path("keys").chmod(0o600)


def listed(call: Call) -> dict[str, tuple[str, int, int]]:
    answer = json.loads(call("keys", "list", "--json").stdout)
    return {one["key"]: (one["role"], one["live"], one["failed"]) for one in answer["keys"]}


def test_keys_generate_makes_a_line_of_the_ring(call: Call) -> None:
    made = call("keys", "generate", "2030").stdout.strip()
    ring(OLD, made)
    assert list(listed(call)) == ["old", "2030"]
    assert call("keys", "generate").stdout != call("keys", "generate").stdout
    assert call("keys", "generate", "no id").exit_code == 2


def test_waiting_delayed_grouped_and_failed_messages_are_sealed_anew(
    call: Call, app: Packhorse
) -> None:
    with app:
        fails.dispatch()
        drain(app)
        for number in range(3):
            notes.dispatch(number)
        notes.using(delay=600).dispatch(3)
        for number in (4, 5):
            notes.using(group="g", unique=Unique(str(number))).dispatch(number)
    ring(OLD, NEW)
    assert listed(call) == {"old": ("opens, hashes", 6, 1), "new": ("current", 0, 0)}
    done = call("rotate")
    assert "sealed 7 messages anew under new" in done.stdout
    assert done.exit_code == 0
    assert listed(call) == {"old": ("opens, hashes", 0, 0), "new": ("current", 6, 1)}
    assert "sealed 0 messages" in call("rotate").stdout
    assert "2 messages have a unique key or a group" in call("keys", "check").stderr
    with Packhorse() as later:
        assert notes.using(unique=Unique("5")).dispatch(5).id is not None
        assert later.queue().counts().parked == 1, "the key is known by the same hash"
        assert later.failed.list()[0].reason == "sealed"
        drain(later)
    assert sorted(journal.notes) == ["0", "1", "2", "4", "5"]


def test_a_key_that_is_missing_is_told(call: Call, app: Packhorse) -> None:
    with app:
        notes.dispatch(1)
    ring(NEW)
    checked = call("keys", "check")
    assert checked.exit_code == 1
    assert "the key 'old' is missing, and 1 messages need it" in checked.stderr
    assert call("keys", "list").exit_code == 1
    done = call("rotate")
    assert done.exit_code == 1
    assert "1 messages were left" in done.stderr
    ring(OLD, NEW)
    assert call("keys", "check").exit_code == 0


def test_a_rotation_that_was_stopped_is_gone_on_with(app: Packhorse) -> None:
    class Stopped(Exception):
        pass

    def stop(number: int) -> None:
        raise Stopped

    with app:
        notes.using(queue="first").dispatch(1)
        notes.using(queue="second").dispatch(2)
    ring(OLD, NEW)
    with Packhorse() as later:
        with pytest.raises(Stopped):
            rotate(later, "new", stop)
        assert needs(later).live == {"old": 1, "new": 1}
        assert rotate(later, "new", lambda number: None).written == 1
        assert needs(later).live == {"new": 2}


def test_rotation_under_load_loses_nothing(app: Packhorse) -> None:
    """All know both keys; the senders change from one to the other while jobs run and are sealed anew."""
    total, numbers = 600, iter(range(600))
    ring(f"*{OLD}", NEW)
    with Packhorse() as before:
        before.queue().push_many([notes.bind(next(numbers)) for _ in range(300)])
        ring(OLD, NEW)
        with Packhorse() as after:
            sending = threading.Thread(
                target=lambda: [after.queue().push(notes.bind(number)) for number in numbers]
            )
            with working(before, concurrency=2), working(after, concurrency=2):
                sending.start()
                while sending.is_alive():
                    rotate(after, "new", lambda number: None)
                sending.join()
                eventually(lambda: after.queue().size() == 0, within=60)
            assert after.failed.count() == 0
    assert sorted(map(int, journal.notes)) == list(range(total))
