"""`packhorse restart`: lets all workers of a connection make room for new ones."""

import click

from packhorse.cli.choices import connection_option
from packhorse.cli.output import counted, note
from packhorse.cli.setup import Setup


@click.command()
@connection_option
@click.pass_obj
def restart(setup: Setup, connection: str | None) -> None:
    """Let all workers end in good order; their supervisors put new ones in their place.

    They learn of it within about ten seconds, and finish what they run. A worker without a
    supervisor ends, and is for its service manager to start again.
    """
    on = setup.app().connection(connection)
    on.control.restart()
    alive = on.control.workers()
    if alive:
        told = counted(len(alive), "worker")
        click.echo(f"{told} of connection {on.name!r} told to make room for new ones")
    else:
        note(f"no worker of connection {on.name!r} has said anything in the last half minute")
