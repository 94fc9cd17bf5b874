"""`watchofficer completion`: how does a shell complete commands and options?"""

from __future__ import annotations

import sys

import click

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete the commands and options of watchofficer.

    \b
    bash:
      mkdir -p ~/.local/share/bash-completion/completions
      watchofficer completion bash > ~/.local/share/bash-completion/completions/watchofficer
    zsh (a folder of $fpath, before compinit):
      watchofficer completion zsh > ~/.zfunc/_watchofficer
    fish:
      watchofficer completion fish > ~/.config/fish/completions/watchofficer.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # click knows each of the choices
    try:
        click.echo(found(ctx.find_root().command, {}, "watchofficer", "_WATCHOFFICER_COMPLETE").source())
    except RuntimeError as error:  # a shell that is too old
        click.echo(f"completion {shell}: {error}", err=True)
        sys.exit(2)
