"""`dtwin sink`: what copies the records of a system to a world outside, one group for each world.

What lives here: the group, and finding the local stack. What does not: the commands themselves
(`adapters.elasticsearch.commands`).
"""

from __future__ import annotations

from pathlib import Path

import typer

from adapters.elasticsearch.commands import elasticsearch
from setup.local.paths import Home, home_folder
from setup.local.state import StateFile, name_parts

sink = typer.Typer(
    name="sink",
    help="Copy the records of a system to a world outside.",
    no_args_is_help=True,
    add_completion=False,
)
sink.add_typer(elasticsearch)


def fill_environment() -> None:
    """Name the parts of the local stack where the environment names no others.

    Certificate and token stay those of the client app: its archive and its page in the platform have them.
    """
    parts = StateFile(Home(Path(home_folder())).state_file).parts()
    name_parts(parts, elasticsearch="DTWIN_ELASTICSEARCH__URL")
