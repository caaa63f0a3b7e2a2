"""`packhorse migrate`: brings the brokers' own tables up to date."""

import click

from packhorse.cli.choices import connections
from packhorse.cli.setup import Setup
from packhorse.driver.abilities import Migrates


@click.command()
@click.option("--connection", metavar="NAME", help="Only this connection.")
@click.pass_obj
def migrate(setup: Setup, connection: str | None) -> None:
    """Bring the brokers' own tables up to date; safe to run again, and before each deployment."""
    for on in connections(setup.app(), connection):
        driver: object = on.driver
        if isinstance(driver, Migrates):
            for line in driver.migrate() or ["up to date"]:
                click.echo(f"{on.name}: {line}")
        else:
            click.echo(f"{on.name}: nothing to migrate, {on.url.scheme}:// keeps no tables")
