"""`packhorse completion`: the line that teaches a shell to complete packhorse's commands."""

import click

LINES = {
    "bash": ("~/.bashrc", 'eval "$(_PACKHORSE_COMPLETE=bash_source packhorse)"'),
    "zsh": ("~/.zshrc", 'eval "$(_PACKHORSE_COMPLETE=zsh_source packhorse)"'),
    "fish": (
        "~/.config/fish/completions/packhorse.fish",
        "_PACKHORSE_COMPLETE=fish_source packhorse | source",
    ),
}


@click.command()
@click.argument("shell", type=click.Choice(list(LINES)))
def completion(shell: str) -> None:
    """Print the line that makes a shell complete packhorse's commands."""
    file, line = LINES[shell]
    click.echo(f"# add to {file}\n{line}")
