"""Which file a URL names, and what is said of one that names none."""

from pathlib import Path
from typing import Any

import pytest

from packhorse.plugin import ConfigError, DriverSetup, Url
from packhorse_sql.driver import SqlDriver
from tests.unit.sql.opening import messages, open_driver


def send_to(text: str) -> None:
    """Sends one message to wherever the URL points."""
    driver = SqlDriver.open(Url.parse(text), DriverSetup())
    driver.send(messages(b"x"))
    driver.close()


def test_three_slashes_are_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    send_to("sqlite:///jobs.db")
    assert (tmp_path / "jobs.db").is_file()


def test_the_folder_counts_that_was_current_at_the_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    driver = SqlDriver.open(Url.parse("sqlite:///jobs.db"), DriverSetup())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    driver.send(messages(b"x"))
    assert (tmp_path / "jobs.db").is_file()


def test_four_slashes_are_absolute_and_a_tilde_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    send_to(f"sqlite:///{tmp_path}/a%20b.db")
    send_to("sqlite:///~/home.db")
    assert (tmp_path / "a b.db").is_file()
    assert (tmp_path / "home.db").is_file()


@pytest.mark.parametrize("text", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused_with_what_to_use_instead(text: str) -> None:
    with pytest.raises(ConfigError, match=r"memory://.*sqlite:///jobs\.db"):
        SqlDriver.open(Url.parse(text), DriverSetup())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sqlite://jobs.db", "sqlite:///jobs.db"),
        ("sqlite:///a.db?synchronus=full", "did you mean 'synchronous'"),
        ("sqlite:///a.db?synchronous=some", "full, normal, off"),
        ("sqlite:///a.db?lock_timeout=long", "lock_timeout"),
        ("sqlite:///a.db?prefix=a-b", "prefix='a-b'"),
    ],
)
def test_a_wrong_url_is_refused_before_anything_is_opened(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("?", r"\?")):
        SqlDriver.open(Url.parse(text), DriverSetup())


def test_two_prefixes_are_two_queues_in_one_file(tmp_path: Path) -> None:
    one, two = (open_driver(tmp_path / "a.db", prefix=name) for name in ("one_", "two_"))
    one.send(messages(b"x"))
    assert (one.counts("q").ready, two.counts("q").ready) == (1, 0)


@pytest.mark.parametrize(
    ("synchronous", "level"), [(None, 2), ("full", 2), ("normal", 1), ("off", 0)]
)
def test_every_connection_is_as_durable_as_the_option_says(
    tmp_path: Path, synchronous: str | None, level: int
) -> None:
    options: dict[str, Any] = {} if synchronous is None else {"synchronous": synchronous}
    driver = open_driver(tmp_path / "a.db", **options)

    def pragma(name: str) -> object:
        query = f"PRAGMA {name}"
        return driver._database.read(lambda connection: connection.exec_driver_sql(query).scalar())

    assert pragma("synchronous") == level
    assert pragma("journal_mode") == "wal"
