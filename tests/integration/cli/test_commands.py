"""What an operator does by hand, on a SQLite file."""

import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from packhorse import Packhorse
from packhorse.driver.message import Message
from packhorse.ids import new_id
from tests.unit.cli.conftest import Call

pytestmark = pytest.mark.backend("sqlite")


def parsed(shop: Call, *arguments: str) -> Any:
    said = shop(*arguments, "--json")
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)


def dispatched(shop: Call, *arguments: str) -> str:
    said = shop("dispatch", *arguments)
    assert said.exit_code == 0, said.output
    return str(UUID(said.stdout.strip()))


def fail(shop: Call, times: int = 1) -> list[str]:
    """The ids of so many failed jobs."""
    ids = [dispatched(shop, "cli_shop.divide", '{"a": 1, "b": 0}') for _ in range(times)]
    assert shop("work", "--stop-when-empty").exit_code == 0
    return ids


def test_dispatching_a_known_job_checks_its_arguments(shop: Call) -> None:
    dispatched(shop, "cli_shop.divide", '{"a": 1, "b": 2}')
    said = shop("dispatch", "cli_shop.divide", '{"a": 1, "b": "two"}')
    assert said.exit_code == 1
    assert "cli_shop.divide" in said.stderr
    assert "$.b" in said.stderr
    [line] = parsed(shop, "queues")
    assert (line["queue"], line["ready"]) == ("default", 1)


def test_dispatching_an_unknown_job_says_so_and_goes_on(shop: Call) -> None:
    said = shop("dispatch", "cli_shop.divid", '{"a": 1}', "--queue", "q", "--delay", "1h")
    assert said.exit_code == 0
    assert "did you mean 'cli_shop.divide'?" in said.stderr
    [one] = parsed(shop, "queue", "jobs", "q", "--state", "delayed")
    assert (one["id"], one["job"], one["arguments"]) == (
        said.stdout.strip(),
        "cli_shop.divid",
        {"a": 1},
    )


def test_dispatching_what_is_no_object_is_an_error(shop: Call) -> None:
    assert shop("dispatch", "nobody.knows", "[1]").exit_code == 1
    assert shop("dispatch", "nobody.knows", "{").exit_code == 1


def test_arguments_may_come_from_stdin(shop: Call) -> None:
    shop("dispatch", "cli_shop.divide", "-", stdin='{"a": 8, "b": 2}')
    [one] = parsed(shop, "queue", "jobs", "default")
    assert one["arguments"] == {"a": 8, "b": 2}


def test_a_job_says_its_queue_and_an_option_overrides_it(shop: Call) -> None:
    dispatched(shop, "cli_shop.nap", '{"seconds": 0}')
    dispatched(shop, "cli_shop.nap", '{"seconds": 0}', "--queue", "other", "--delay", "5m")
    lines = {line["queue"]: line for line in parsed(shop, "queues")}
    assert (lines["slow"]["ready"], lines["other"]["delayed"]) == (1, 1)


def test_the_queues_in_a_table(shop: Call) -> None:
    fail(shop)
    dispatched(shop, "cli_shop.nap", '{"seconds": 0}')
    shop("queue", "pause", "slow", "--for", "1h")
    head, first, second = shop("queues").stdout.splitlines()
    assert head.split() == ["queue", "ready", "delayed", "reserved", "failed", "oldest", "paused"]
    assert first.split()[:5] == ["default", "0", "0", "0", "1"]
    assert second.split()[:5] == ["slow", "1", "0", "0", "0"]
    assert "more" in second


def test_a_queue_with_groups_shows_what_is_parked(shop: Call) -> None:
    with Packhorse(config="packhorse.toml") as app:
        connection = app.connection()
        connection.driver.send([Message(new_id(), "grouped", b"{}", group="g") for _ in range(3)])
    head, *_, line = shop("queues").stdout.splitlines()
    assert head.split()[:5] == ["queue", "ready", "delayed", "reserved", "parked"]
    assert line.split()[:5] == ["grouped", "1", "0", "0", "2"]
    [of_it] = [each for each in parsed(shop, "queues") if each["queue"] == "grouped"]
    assert of_it["parked"] == 2
    assert len(parsed(shop, "queue", "jobs", "grouped", "--state", "parked")) == 2


def test_a_queue_under_another_name_is_shown_as_such(shop: Call) -> None:
    dispatched(shop, "cli_shop.nap", '{"seconds": 0}')
    config = Path("packhorse.toml").read_text()
    main = "[connections.main]\n"
    Path("packhorse.toml").write_text(config.replace(main, main + 'forward = { slow = "lazy" }\n'))
    dispatched(shop, "cli_shop.nap", '{"seconds": 0}')
    lines = {line["queue"]: line for line in parsed(shop, "queues")}
    assert {name: line["forwarded_to"] for name, line in lines.items()} == {
        "default": None,
        "lazy": None,
        "slow": "lazy",
    }
    assert (lines["slow"]["ready"], lines["lazy"]["ready"]) == (1, 1)
    assert "slow → lazy" in shop("queues").stdout
    assert shop("work", "--queues", "lazy", "--stop-when-empty").exit_code == 0
    assert shop("queue", "show", "slow").stdout.splitlines()[1].split()[3:5] == ["0", "0"]


def test_a_job_that_is_not_known_here_has_a_route_too(shop: Call) -> None:
    with Path("packhorse.toml").open("a") as file:
        file.write('[routes]\n"another.*" = { queue = "others" }\n')
    said = shop("dispatch", "another.job")
    assert "pushed unchecked onto main/others" in said.stderr
    said = shop("dispatch", "another.job", "--queue", "mine")
    assert "pushed unchecked onto main/mine" in said.stderr


def test_the_doctor_warns_of_a_route_that_no_job_takes(shop: Call) -> None:
    with Path("packhorse.toml").open("a") as file:
        file.write('[routes]\n"cli_shop.*" = { queue = "a" }\n"cli_shop.nip" = { queue = "b" }\n')
    routes = [one for one in parsed(shop, "doctor") if one["name"].startswith("route ")]
    assert [(one["name"], one["state"]) for one in routes] == [("route cli_shop.nip", "warning")]
    assert "did you mean 'cli_shop.nap'?" in routes[0]["message"]


def test_a_connection_that_is_wrong_hides_no_other(shop: Call) -> None:
    with Path("packhorse.toml").open("a") as file:
        file.write('[connections.cloud]\nurl = "memory://?like=sqs"\n')
    said = shop("queues", "--json")
    assert {line["connection"]: line["failed"] for line in json.loads(said.stdout)} == {
        "main": 0,
        "cloud": 0,
    }
    assert "connection" in shop("queues").stdout.splitlines()[0]


def test_pausing_and_resuming(shop: Call) -> None:
    dispatched(shop, "cli_shop.divide", '{"a": 1, "b": 1}')
    assert "until it is resumed" in shop("queue", "pause", "default").stdout
    [line] = parsed(shop, "queue", "show", "default")
    assert (line["paused"], line["paused_for"]) == (True, None)
    shop("work", "--stop-when-empty")
    assert parsed(shop, "queue", "show", "default")[0]["ready"] == 1
    shop("queue", "resume", "default")
    shop("work", "--stop-when-empty")
    assert parsed(shop, "queue", "show", "default")[0]["ready"] == 0


def test_clearing_asks_first(shop: Call) -> None:
    for _ in range(3):
        dispatched(shop, "cli_shop.divide", '{"a": 1, "b": 1}')
    refused = shop("queue", "clear", "default", stdin="n\n")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Remove 3 jobs from 'default'?" in refused.stderr
    unanswered = shop("queue", "clear", "default", stdin="")
    assert unanswered.exit_code == 1
    assert "--yes" in unanswered.stderr
    done = shop("queue", "clear", "default", "--yes")
    assert (done.exit_code, done.stdout) == (0, "removed 3 jobs from 'default'\n")


def test_jobs_are_paged(shop: Call) -> None:
    ids = [dispatched(shop, "cli_shop.divide", '{"a": 1, "b": 1}') for _ in range(3)]
    first = parsed(shop, "queue", "jobs", "default", "--limit", "2")
    second = parsed(shop, "queue", "jobs", "default", "--after", first[-1]["id"])
    assert [one["id"] for one in first + second] == ids
    assert f"--after {ids[1]}" in shop("queue", "jobs", "default", "--limit", "2").stderr
    assert "no delayed jobs" in shop("queue", "jobs", "default", "--state", "delayed").stderr


def test_a_job_is_shown_and_cancelled_wherever_it_is(shop: Call) -> None:
    id = dispatched(shop, "cli_shop.nap", '{"seconds": 0}', "--delay", "1h")
    shown = parsed(shop, "job", "show", id)
    assert (shown["state"], shown["job"], shown["queue"]) == ("delayed", "cli_shop.nap", "slow")
    assert "cli_shop.nap" in shop("job", "show", id).stdout
    assert shop("job", "cancel", id).stdout == "cancelled\n"
    assert parsed(shop, "job", "show", id)["cancelled"]
    shop("work", "--queues", "slow", "--stop-when-empty")
    gone = shop("job", "show", id)
    assert gone.exit_code == 1
    assert "it is done, or was never sent" in gone.stderr
    assert shop("job", "cancel", id).exit_code == 1
    assert shop("job", "show", "12345").exit_code == 2


def test_why_a_job_does_not_run(shop: Call) -> None:
    id = dispatched(shop, "cli_shop.nap", '{"seconds": 0}', "--delay", "1h")
    shop("queue", "pause", "slow")
    first, paused, delayed = shop("job", "why", id).stdout.splitlines()
    assert first == "cli_shop.nap is delayed, on main/slow"
    assert paused == "- queue 'slow' is paused, until: packhorse queue resume slow"
    assert delayed.startswith("- it was delayed, or put back, until 2")
    said = parsed(shop, "job", "why", id)
    assert (said["id"], said["state"], said["queue"]) == (id, "delayed", "slow")
    assert [one["code"] for one in said["reasons"]] == ["paused", "delayed"]
    assert said["reasons"][0]["until"] is None
    assert said["reasons"][1]["until"].endswith("Z")


def test_why_asks_for_more_modules(shop: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("cli_more.py").write_text("from packhorse import job\n@job\ndef more() -> None: ...\n")
    monkeypatch.delitem(sys.modules, "cli_more", raising=False)
    id = dispatched(shop, "cli_more.more")
    assert "no module that was imported has a job 'cli_more.more'" in shop("job", "why", id).stdout
    assert "nobody knows" not in shop("job", "why", id, "--import", "cli_more").stdout


def test_why_of_what_is_over(shop: Call) -> None:
    [id] = fail(shop)
    assert "failed at attempt 2 of 2" in shop("job", "why", id).stdout
    nobody = str(uuid4())
    said = shop("job", "why", nobody)
    assert (said.exit_code, said.stdout) == (
        1,
        "- no connection has it: it is done, was cleared, or was never sent\n",
    )
    answer = json.loads(shop("job", "why", nobody, "--json").stdout)
    assert (answer["state"], answer["reasons"][0]["code"]) == ("gone", "gone")


def test_a_failed_job_cannot_be_cancelled(shop: Call) -> None:
    [id] = fail(shop)
    said = shop("job", "cancel", id)
    assert said.exit_code == 1
    assert "it is dead" in said.stderr
    assert f"packhorse failed show {id}" in shop("job", "show", id).stdout


def test_failed_jobs_are_listed_and_shown(shop: Call) -> None:
    [id] = fail(shop)
    [one] = parsed(shop, "failed", "list")
    assert (one["id"], one["job"], one["queue"]) == (id, "cli_shop.divide", "default")
    assert [failure["type"] for failure in one["failures"]] == ["ZeroDivisionError"] * 2
    assert parsed(shop, "failed", "show", id) == one
    assert "ZeroDivisionError: division by zero" in shop("failed", "list").stdout
    story = shop("failed", "show", id).stdout
    assert '{"a":1,"b":0}' in story
    assert "return a / b" in story
    assert shop("failed", "count").stdout == "1\n"
    assert shop("failed", "count", "--queue", "slow").stdout == "0\n"


def test_failed_jobs_run_again(shop: Call) -> None:
    ids = fail(shop, 3)
    some = shop("failed", "retry", ids[0], str(missing := uuid4()))
    assert (some.exit_code, some.stdout) == (1, "1 job will run again\n")
    assert str(missing) in some.stderr
    assert shop("failed", "retry", "--all", "--queue", "slow").stdout == "0 jobs will run again\n"
    assert shop("failed", "retry", "--all").stdout == "2 jobs will run again\n"
    assert {one["id"] for one in parsed(shop, "queue", "jobs", "default")} == set(ids)


@pytest.mark.parametrize("wrong", [[], ["--all", str(uuid4())], ["--queue", "q", str(uuid4())]])
def test_what_to_retry_must_be_clear(shop: Call, wrong: list[str]) -> None:
    assert shop("failed", "retry", *wrong).exit_code == 2


def test_failed_jobs_are_removed(shop: Call) -> None:
    ids = fail(shop, 4)
    assert shop("failed", "forget", ids[0]).stdout == "removed 1 failed job\n"
    again = shop("failed", "forget", ids[0])
    assert (again.exit_code, ids[0] in again.stderr) == (1, True)
    assert shop("failed", "prune").stdout == "removed 0 failed jobs\n"
    assert shop("failed", "flush", "--older-than", "1h").stdout == "removed 0 failed jobs\n"
    assert shop("failed", "flush", stdin="n\n").exit_code == 1
    assert shop("failed", "flush", stdin="y\n").stdout == "removed 3 failed jobs\n"
    assert shop("failed", "prune", "--older-than", "0").stdout == "removed 0 failed jobs\n"
    assert shop("failed", "list").stderr == "no failed jobs\n"


def test_migrating_says_what_it_did(shop: Call) -> None:
    said = shop("migrate")
    assert "tables from version 0 to" in said.stdout
    assert shop("migrate").stdout == "main: up to date\n"
    assert "nothing to migrate" in shop("migrate", "--url", "memory://").stdout


def test_the_doctor_finds_all_well(shop: Call) -> None:
    said = shop("doctor")
    assert said.exit_code == 0, said.output
    assert "all is well" in said.stdout
    assert "3 jobs known" in said.stdout
    states = {result["state"] for result in parsed(shop, "doctor")}
    assert states == {"ok"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ('[connections.main]\nurl = "sqlite:////nowhere/at/all.db"\n', "there is no folder"),
        ('[connections.main]\nurl = "nats://u:hunter2@h"\n', "the driver 'nats' is not installed"),
        ('[conections.main]\nurl = "memory://"\n', "did you mean [connections.NAME]?"),
        ("", "no connection is configured"),
        ('imports = ["cli_nothing"]\n[connections.main]\nurl = "memory://"\n', "'cli_nothing'"),
    ],
)
def test_the_doctor_finds_what_is_wrong(shop: Call, file: str, text: str) -> None:
    Path("packhorse.toml").write_text(file)
    said = shop("doctor")
    assert said.exit_code == 1
    assert "error" in said.stdout
    assert text in said.stdout
    assert "hunter2" not in said.output
