"""`packhorse plugins`: what is installed, what it brings, and what is broken."""

import click

from packhorse.cli.output import json_option, print_json, table
from packhorse.cli.setup import Setup


@click.command()
@json_option
@click.pass_obj
def plugins(setup: Setup, as_json: bool) -> int:
    """List the installed plugins and what they bring; 1 if one is broken."""
    found = setup.wiring.plugins
    if as_json:
        print_json(
            [
                {
                    "name": one.name,
                    "distribution": one.distribution,
                    "version": one.version,
                    "offers": one.offers,
                    "error": one.error,
                }
                for one in found
            ]
        )
    else:
        rows = [
            [
                one.name,
                f"{one.distribution} {one.version}".strip(),
                f"BROKEN: {one.error}" if one.error else ", ".join(one.offers),
            ]
            for one in found
        ]
        table(["plugin", "package", "brings"], rows)
    return 1 if any(one.error for one in found) else 0
