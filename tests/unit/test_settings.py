"""Where settings come from, who wins, and what is said about a wrong one."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from packhorse.errors import ConfigError
from packhorse.settings import (
    VARIABLES,
    ConnectionSettings,
    Settings,
    load,
)

FILE = """
default = "cloud"
imports = ["shop.jobs"]
plugins = ["analytics"]
block = ["noise"]
strict = true
unknown_job_limit = 3

[connections.main]
url = "redis://localhost/0"

[connections.cloud]
url = "sqs://eu-central-1"
queue = "mail"
lease = 60
store = "main"
codecs = ["encryption"]
serializer = "cbor"
wait = 20

[encryption]
keys = ["a"]
"""


def read(folder: Path, text: str, name: str = "packhorse.toml", **environ: str) -> Settings:
    """The settings of a folder with this file in it."""
    (folder / name).write_text(text)
    return load(environ=environ, folder=folder)


def failure(config: Mapping[str, object] | None = None, url: str | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(url, config, environ={})
    return str(caught.value)


def one(**connection: object) -> dict[str, object]:
    return {"connections": {"main": {"url": "memory://", **connection}}}


def test_a_url_is_one_connection() -> None:
    settings = load("sqlite:///jobs.db", environ={})
    assert settings.default == "main"
    assert settings.connections == {"main": ConnectionSettings(url="sqlite:///jobs.db")}
    assert settings.source == "the URL given"


def test_a_url_ignores_files_and_variables_that_choose_a_connection(tmp_path: Path) -> None:
    (tmp_path / "packhorse.toml").write_text(FILE)
    environ = {
        "PACKHORSE_URL": "redis://other",
        "PACKHORSE_DEFAULT": "other",
        "PACKHORSE_CONFIG": "no-such-file.toml",
        "PACKHORSE_BLOCK": "noise",
    }
    settings = load("memory://", environ=environ, folder=tmp_path)
    assert settings.connections == {"main": ConnectionSettings(url="memory://")}
    assert settings.block == ("noise",)


def test_a_whole_file(tmp_path: Path) -> None:
    settings = read(tmp_path, FILE)
    assert settings == Settings(
        default="cloud",
        imports=("shop.jobs",),
        plugins=("analytics",),
        block=("noise",),
        strict=True,
        unknown_job_limit=3,
        connections={
            "main": ConnectionSettings(url="redis://localhost/0"),
            "cloud": ConnectionSettings(
                url="sqs://eu-central-1",
                queue="mail",
                lease=60.0,
                store="main",
                codecs=("encryption",),
                serializer="cbor",
                options={"wait": 20},
            ),
        },
        tables={"encryption": {"keys": ["a"]}},
        source=str(tmp_path / "packhorse.toml"),
    )


def test_a_table_of_pyproject(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n[tool.packhorse.connections.main]\nurl = "memory://"'
    settings = read(tmp_path, text, "pyproject.toml")
    assert settings.connections == {"main": ConnectionSettings(url="memory://")}
    assert settings.source.endswith("pyproject.toml")


def test_packhorse_toml_goes_before_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.packhorse.connections.main]\nurl = "memory://"')
    assert read(tmp_path, FILE).default == "cloud"


def test_a_pyproject_that_does_not_mention_packhorse_is_no_source(tmp_path: Path) -> None:
    text = '[project]\nname = "x"'
    settings = read(tmp_path, text, "pyproject.toml", PACKHORSE_URL="memory://")
    assert settings.source == "PACKHORSE_URL"
    with pytest.raises(ConfigError, match=r"has no table \[tool.packhorse\]"):
        load(config=tmp_path / "pyproject.toml", environ={})


def test_parent_folders_are_not_searched(tmp_path: Path) -> None:
    (tmp_path / "packhorse.toml").write_text(FILE)
    (tmp_path / "inner").mkdir()
    with pytest.raises(ConfigError, match="no connection is configured"):
        load(environ={}, folder=tmp_path / "inner")


def test_the_variable_that_names_a_file(tmp_path: Path) -> None:
    (tmp_path / "conf.toml").write_text(FILE)
    settings = load(environ={"PACKHORSE_CONFIG": "conf.toml"}, folder=tmp_path)
    assert settings.default == "cloud"


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "packhorse.toml").write_text(FILE)
    assert load(environ={}).source == "packhorse.toml"


def test_the_environment_wins_over_a_file(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        FILE,
        PACKHORSE_URL="sqs://us-east-1",
        PACKHORSE_IMPORTS="a.jobs, b.jobs,",
        PACKHORSE_PLUGINS="tracing",
        PACKHORSE_BLOCK="loud",
        PACKHORSE_STRICT="off",
    )
    assert settings.connections["cloud"].url == "sqs://us-east-1"
    assert settings.connections["cloud"].lease == 60.0
    assert settings.connections["main"].url == "redis://localhost/0"
    assert settings.imports == ("a.jobs", "b.jobs")
    assert settings.plugins == ("tracing",)
    assert settings.block == ("loud",)
    assert settings.strict is False


def test_the_environment_chooses_the_default(tmp_path: Path) -> None:
    settings = read(tmp_path, FILE, PACKHORSE_DEFAULT="main", PACKHORSE_URL="memory://")
    assert settings.default == "main"
    assert settings.connections["main"].url == "memory://"
    assert settings.connections["cloud"].url == "sqs://eu-central-1"


def test_the_environment_alone() -> None:
    settings = load(environ={"PACKHORSE_URL": "memory://"}, folder="/no/such/folder")
    assert settings.connections == {"main": ConnectionSettings(url="memory://")}
    assert settings.source == "PACKHORSE_URL"


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    empty = dict.fromkeys(VARIABLES, "")
    assert read(tmp_path, FILE, **empty) == read(tmp_path, FILE)


def test_keywords_win_over_all(tmp_path: Path) -> None:
    (tmp_path / "packhorse.toml").write_text(FILE)
    environ = {"PACKHORSE_PLUGINS": "tracing", "PACKHORSE_DEFAULT": "cloud"}
    settings = load(
        environ=environ, folder=tmp_path, default="main", plugins=["mine"], lease=5, queue="quick"
    )
    assert settings.default == "main"
    assert settings.plugins == ("mine",)
    assert settings.connections["main"] == ConnectionSettings(
        url="redis://localhost/0", lease=5.0, queue="quick"
    )
    assert settings.connections["cloud"].lease == 60.0


def test_the_only_connection_is_the_default() -> None:
    settings = load(config={"connections": {"cloud": {"url": "memory://"}}}, environ={})
    assert settings.default == "cloud"


def test_nothing_found_shows_the_two_ways() -> None:
    text = failure({})
    assert "PACKHORSE_URL=" in text
    assert "[connections.main]" in text


def test_a_url_and_a_config_are_one_too_many() -> None:
    assert "not both" in failure({}, "memory://")


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"defalt": "x"}, "the config given: there is no setting 'defalt'; did you mean 'default'"),
        ({"zzz": 1}, "no setting 'zzz'; there is: block, default, imports"),
        ({"connection": {"main": {}}}, r"no table [connection]; did you mean [connections.NAME]"),
        ({"connections": 5}, "connections must be a table"),
        ({"connections": {"main": "memory://"}}, "[connections.main] must be a table with a url"),
        ({"connections": {"main": {"ulr": "x"}}}, "[connections.main] needs a url"),
        ({**one(), "default": "man"}, "'man' is not configured; did you mean 'main'"),
        ({**one(), "imports": "shop.jobs"}, "imports: expected a list, got `str`"),
        ({**one(), "plugins": [1]}, "plugins: expected `str`, got `int`"),
        ({**one(), "strict": "yes"}, "strict: expected `bool`, got `str`"),
        ({**one(), "unknown_job_limit": -1}, "unknown_job_limit: expected `int` >= 0"),
        ({**one(), "default": ""}, "default: expected `str` of length >= 1"),
        (one(lease=0), "[connections.main]: lease: expected `float` > 0"),
        (one(lease=float("inf")), "[connections.main]: lease: expected `float` <= "),
        (one(lease=float("nan")), "[connections.main]: lease: expected `float` "),
        (one(lease="30"), "[connections.main]: lease: expected `float`, got `str`"),
        (one(queue=""), "[connections.main]: queue: expected `str` of length >= 1"),
        (one(codecs="encryption"), "[connections.main]: codecs: expected a list, got `str`"),
        (one(store="mian"), "store: there is no connection 'mian'; did you mean 'main'"),
        (one(url="jobs.db"), "url: 'jobs.db' is no connection URL"),
        (one(store="://x"), "store: '://x' is no connection URL"),
        ({**one(), "queues": {"low": "mian"}}, "[queues], low: there is no connection 'mian'"),
        ({**one(), "queues": {"low": 5}}, "queues: expected `str`, got `int`"),
        (one(store="main"), "store goes in a circle of connections: main → main"),
        (
            {
                "connections": {
                    "a": {"url": "x://", "store": "b"},
                    "b": {"url": "x://", "store": "a"},
                },
                "default": "a",
            },
            "a → b → a; name one that brings a store, or a URL",
        ),
    ],
)
def test_a_wrong_setting_is_named(config: dict[str, object], error: str) -> None:
    text = failure(config)
    assert error in text
    assert "the config given" in text


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "packhorse.toml"
    with pytest.raises(ConfigError, match=re.escape(f"{path}, [connections.main]: lease: ")):
        read(tmp_path, '[connections.main]\nurl = "memory://"\nlease = true')
    with pytest.raises(ConfigError, match=re.escape(f"{path} is not TOML: ") + r".*line 2"):
        read(tmp_path, "\nx = = 1")
    path.write_bytes(b'x = "\xff"')
    with pytest.raises(ConfigError, match=re.escape(f"{path} is not UTF-8")):
        load(environ={}, folder=tmp_path)
    with pytest.raises(ConfigError, match=re.escape("none.toml cannot be read: No such file")):
        load(config="none.toml", environ={}, folder=tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("PACKHORSE_URL", "jobs.db", "PACKHORSE_URL: url: 'jobs.db' is no connection URL"),
        ("PACKHORSE_STRICT", "maybe", "PACKHORSE_STRICT must be 1 or 0"),
        ("PACKHORSE_DEFAULT", "man", "'man' is not configured; did you mean 'main'"),
        ("PACKHORSE_CONFIG", "none.toml", "none.toml cannot be read"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str, error: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(error)):
        read(tmp_path, '[connections.main]\nurl = "memory://"', **{variable: value})


def test_a_wrong_keyword_is_named() -> None:
    with pytest.raises(ConfigError, match="keyword arguments: lease: expected `float` > 0"):
        load("memory://", environ={}, lease=-1)
    with pytest.raises(ConfigError, match=r"keyword arguments: .*'leese'; did you mean 'lease'"):
        load("memory://", environ={}, leese=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "url",
    [
        "user:hunter2@localhost/0",
        "redis://user:hunter2@localhost:port/0",
        "redis://user:hun/ter2@localhost/0",
        "redis://user:hunter2@[::1/0",
    ],
)
def test_no_error_shows_a_password(url: str) -> None:
    text = failure(url=url)
    assert "hun" not in text
    assert "ter2" not in text


def test_settings_are_shown_without_secrets() -> None:
    config = {**one(url="redis://u:hunter2@h", token="hunter2"), "seal": {"key": "hunter2"}}
    settings = load(config=config, environ={})
    assert "hunter2" not in f"{settings} {settings!r} {settings.connections}"
    assert "main" in repr(settings)
