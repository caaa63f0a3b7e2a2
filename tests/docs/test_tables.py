"""The tables of the pages say what the code says: options, events, capabilities, exit codes."""

import inspect
import re
from typing import get_args

import pytest

from packhorse import events
from packhorse.driver import abilities
from packhorse.driver.contract import Capabilities, Consumer, Driver, DriverSetup
from packhorse.driver.url import Url
from packhorse.events.types import Event
from packhorse.job import Job
from packhorse.options import FIXED, RUN, Options
from packhorse.plugin.builtin import packhorse_drivers
from packhorse.worker.attempt import Policy
from packhorse.worker.plan import EXIT_CODES, StopReason
from packhorse.worker.worker import Worker
from packhorse_beanstalkd.driver import BeanstalkdDriver
from packhorse_redis.driver import RedisDriver
from packhorse_sql.driver import SqlDriver
from tests.docs.pages import ROOT, column, section

JOBS, WORKER, EVENTS, DRIVERS, GUARANTEES = (
    ROOT / "docs" / f"{name}.md" for name in ("jobs", "worker", "events", "drivers", "guarantees")
)


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, in cells; their heads and rules too."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_option_has_a_row() -> None:
    text = section(JOBS, "## Options")
    table = [row for row in rows(text) if len(row) == 5 and row[0].startswith("`")]
    assert [row[0].strip("`") for row in table] == list(Options.__annotations__)
    for name, _, _, read_at, _ in table:
        at_run = name.strip("`") in (*RUN, "middleware")
        fixed = name.strip("`") in FIXED - {"middleware"}
        expected = "import" if fixed else "run" if at_run else "dispatch"
        assert read_at == expected or name == "`keep_result`", name


def test_the_defaults_of_the_options() -> None:
    table = rows(section(JOBS, "## Options"))
    documented = {row[0].strip("`"): row[2].strip("`") for row in table if len(row) == 5}
    policy = Policy()
    for name in ("tries", "backoff", "timeout", "soft_timeout", "fail_on_timeout", "max_losses"):
        assert documented[name] == str(getattr(policy, name)).removesuffix(".0"), name


def test_every_reserved_name_is_told() -> None:
    methods = {name for name in vars(Job) if not name.startswith("_")}
    text = section(JOBS, "## Classes")
    assert [name for name in methods if f"`{name}`" not in text] == []


def test_every_event_has_a_row_with_its_base_and_fields() -> None:
    text = EVENTS.read_text()
    table = re.findall(r"^\| `(\w+)` \(`(\w+)`\) \| (.*?) \|", text, re.MULTILINE)
    documented = {name: (base, tuple(re.findall(r"`(\w+)`", cell))) for name, base, cell in table}
    bases = {"Event", "JobEvent", "AttemptEvent", "SettledEvent", "WorkerEvent", "BatchEvent"}
    kinds = {name: getattr(events, name) for name in events.__all__ if name not in bases}
    expected = {}
    for name, kind in kinds.items():
        base: type[Event] = kind.__base__
        own = [field for field in kind.__struct_fields__ if field not in base.__struct_fields__]
        expected[name] = (base.__name__, tuple(own))
    assert documented == expected


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("JobEvent", events.JobEvent),
        ("AttemptEvent", events.AttemptEvent),
        ("SettledEvent", events.SettledEvent),
        ("WorkerEvent", events.WorkerEvent),
    ],
)
def test_the_fields_of_the_bases(name: str, kind: type[Event]) -> None:
    text = EVENTS.read_text()
    (sentence,) = re.findall(rf"`{name}` (?:has|adds) ([^;.]*)", text.replace("\n", " "))
    base = kind.__base__
    assert base is not None
    own = set(kind.__struct_fields__) - set(getattr(base, "__struct_fields__", ()))
    assert set(re.findall(r"`(\w+)`", sentence)) == own


def test_every_verb_of_the_contract_has_a_row() -> None:
    text = section(DRIVERS, "## The contract")
    verbs = [word.split("(")[0] for word in column(text)]
    for contract in (Driver, Consumer):
        own = [name for name, _ in inspect.getmembers(contract, callable) if name[0] != "_"]
        assert [name for name in own if name not in verbs] == []


def test_every_capability_has_a_row_with_its_default() -> None:
    table = {row[0].strip("`"): row for row in rows(section(DRIVERS, "## Capabilities"))[2:]}
    assert list(table) == list(Capabilities.__struct_fields__)
    default = Capabilities()
    for name, row in table.items():
        assert row[2].strip("`") == shown(getattr(default, name)), name


def test_every_ability_has_a_row_with_its_methods() -> None:
    table = {row[0].strip("`"): row for row in rows(section(DRIVERS, "## Abilities"))[2:]}
    kinds = {kind.__name__: kind for kind in vars(abilities).values() if is_ability(kind)}
    assert set(table) == set(kinds)
    for name, row in table.items():
        methods: frozenset[str] = getattr(kinds[name], "__abstractmethods__", frozenset())
        assert set(re.findall(r"`(\w+)`", row[1])) == methods


def is_ability(kind: object) -> bool:
    return isinstance(kind, type) and kind.__module__ == abilities.__name__


@pytest.mark.backend("sqlite", "redis", "beanstalkd")
def test_what_each_driver_can_do() -> None:
    table = rows(section(GUARANTEES, "## What each driver can do"))
    head, body = table[0][1:], [row for row in table[2:] if len(row) == len(table[0])]
    drivers = [opened(name.strip("`")) for name in head]
    fields = list(Capabilities.__struct_fields__)
    fields.remove("wake_within")
    names = [name for name, kind in vars(abilities).items() if is_ability(kind)]
    assert [row[0].strip("`") for row in body] == fields + names
    for row in body:
        name = row[0].strip("`")
        for driver, cell, title in zip(drivers, row[1:], head, strict=True):
            if name in names:
                value: object = isinstance(driver, getattr(abilities, name))
            else:
                value = getattr(driver.capabilities, name)
            assert cell == shown(value), (name, title)


def opened(name: str) -> Driver:
    if name == "sqlite":
        return SqlDriver.open(Url.parse("sqlite:///unused.db"), DriverSetup())
    if name == "redis":
        return RedisDriver.open(Url.parse("redis://unused"), DriverSetup())
    if name == "beanstalkd":
        return BeanstalkdDriver.open(Url.parse("beanstalkd://unused"), DriverSetup())
    (memory,) = [each for each in packhorse_drivers() if each.scheme == "memory"]
    module, _, kind = memory.load.partition(":")
    driver: type[Driver] = getattr(__import__(module, fromlist=[kind]), kind)
    url = "memory://" if name == "memory" else f"memory://?{name}"
    return driver.open(Url.parse(url), DriverSetup())


def shown(value: object) -> str:
    """A capability as the tables show it."""
    if value is None:
        return "any"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.10g}" if isinstance(value, float | int) else str(value)


def test_every_stop_reason_has_its_exit_code() -> None:
    table = [row for row in rows(section(WORKER, "## When it stops")) if len(row) == 4]
    documented = {row[2].strip("`"): row[3] for row in table[2:]}
    assert documented == {reason: str(EXIT_CODES[reason]) for reason in get_args(StopReason)}


def test_every_keyword_of_run_has_a_row() -> None:
    text = section(WORKER, "## When it stops")
    keywords = [name for name in inspect.signature(Worker.run).parameters if name != "self"]
    assert [name for name in keywords if f"`{name}=" not in text] == []


def test_every_test_that_a_promise_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUARANTEES.read_text()))
    folders = [ROOT / "tests", ROOT / "packages/core/src/packhorse/testing"]
    there = {
        name
        for folder in folders
        for file in folder.rglob("*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert named - there == set()
