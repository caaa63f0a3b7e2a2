"""What `--config`, `--url` and the environment choose: the settings and the app of one command."""

import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from packhorse.cli.imports import import_jobs
from packhorse.current import default_app
from packhorse.errors import ConfigError
from packhorse.settings import Settings, load

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.plugin.wiring import Wiring


class Setup:
    """The object of every command's context: `ctx.obj`, or what `click.pass_obj` passes.

    Everything is made when it is first asked for, and raises `ConfigError` for wrong settings.
    """

    def __init__(self) -> None:
        self.config: str | None = None
        self.url: str | None = None
        self.debug = False
        self.args: Sequence[str] = ()
        self._app: Packhorse | None = None

    def settings(self, *, needs_connection: bool = True) -> Settings:
        """The settings, without an app."""
        return load(self.url, self.config, needs_connection=needs_connection)

    @cached_property
    def wiring(self) -> "Wiring":
        """What is installed and active, even where no connection is configured."""
        from packhorse.plugin.wiring import Wiring

        return Wiring(self.settings(needs_connection=False))

    def app(self) -> "Packhorse":
        """The app that the settings make, without importing any job."""
        if self._app is None:
            from packhorse.app import Packhorse

            self._app = Packhorse(self.url, config=self.config)
        return self._app

    def app_with_jobs(self, modules: Iterable[str] = ()) -> "Packhorse":
        """The app after `modules` and those of the settings were imported.

        An app that one of them makes is taken, so that its listeners are heard; `Packhorse()` in
        there reads what `--config` and `--url` say. Raises `ConfigError` if its code says otherwise.
        """
        for variable, value in (("PACKHORSE_CONFIG", self.config), ("PACKHORSE_URL", self.url)):
            if value is not None:
                os.environ[variable] = value
        import_jobs([*modules, *self.settings(needs_connection=False).imports])
        made = default_app()
        if made is None:
            return self.app()
        self._app = made
        self._refuse_another(made)
        import_jobs(made.settings.imports)
        return made

    def _refuse_another(self, made: "Packhorse") -> None:
        asked = self.config or self.url
        if asked is None:
            return
        if _url(made.settings) != _url(self.settings()):
            option = "--url" if self.url else "--config"
            raise ConfigError(
                f"{option} chooses other connections than the app that the imported modules make "
                f"(from {made.settings.source}): leave {option} out, or write Packhorse() there"
            )

    def close(self) -> None:
        """Closes the app, if there is one."""
        if self._app is not None:
            self._app.close()


def _url(settings: Settings) -> str:
    return settings.connections[settings.default].url


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    setup = ctx.ensure_object(Setup)
    if value not in (None, False) and parameter.name is not None:
        setattr(setup, parameter.name, value)


def settings_options(hidden: bool = False) -> list[click.Parameter]:
    """`--config`, `--url` and `--debug`, which say where the settings come from."""
    keep: dict[str, Any] = {
        "expose_value": False,
        "is_eager": True,
        "callback": _keep,
        "hidden": hidden,
    }
    return [
        click.Option(
            ["--config"],
            metavar="FILE",
            help="A packhorse.toml or pyproject.toml; else PACKHORSE_CONFIG, or one of these files "
            "in the current folder.",
            **keep,
        ),
        click.Option(
            ["--url"],
            metavar="URL",
            help="The URL of the only connection; no file is read. Else PACKHORSE_URL.",
            **keep,
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            help="Show the traceback of an error; also PACKHORSE_DEBUG=1.",
            envvar="PACKHORSE_DEBUG",
            **keep,
        ),
    ]
