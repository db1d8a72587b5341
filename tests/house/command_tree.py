"""The commands of `dtwin` as a tree, and the page of the documentation that is written from it.

To write the page anew: python -m tests.house.command_tree
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer.main

from setup.command_line import application

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "command-line.md"

_HEAD = """# The command line

`./dtwin` in a clone, `dtwin` where the package is installed. This page is written from the program itself, by
`python -m tests.house.command_tree`. `dtwin --version` tells the version, `--help` or `-h` after any command
what it takes.

Exit codes: 0 ok, 1 failure, 2 wrong use or a refused statement, 3 drift, 4 not allowed, 5 not found,
6 unavailable, 7 a contract has ended, 130 interrupted. Environment variables:
[configuration.md](configuration.md).
"""
OWN_OPTIONS = {"--help", "-h"} | {
    option for parameter in typer.main.get_command(application).params for option in parameter.opts
}
"""What `dtwin` itself can be told, without a command."""
_MARKUP = re.compile(r"\[/?(?:bold|dim|red|green)\]")


@cache
def commands() -> dict[str, Any]:
    """Every command that does something, by its words without `dtwin`."""
    return dict(_below((), typer.main.get_command(application)))


def _below(words: tuple[str, ...], group: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - click's own class
    context = group.make_context("dtwin", [], resilient_parsing=True)
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        if hasattr(command, "list_commands"):
            yield from _below((*words, name), command)
        else:
            yield " ".join((*words, name)), command


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_section(words, command) for words, command in commands().items())


def _section(words: str, command: Any) -> str:  # noqa: ANN401 - as above
    text = _MARKUP.sub("", command.help or "")
    said, _, examples = text.partition("Examples\n")
    lines = [f"\n## dtwin {words}\n", _paragraphs(said)]
    rows = [row for parameter in command.params if (row := _row(parameter))]
    if rows:
        lines += ["", "| option | environment | default | meaning |", "|---|---|---|---|", *rows]
    if examples.strip():
        lines += ["", "```bash", *(line.strip() for line in examples.splitlines() if line.strip()), "```"]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def _row(parameter: Any) -> str | None:  # noqa: ANN401 - as above
    names = [*parameter.opts, *parameter.secondary_opts]
    if "--help" in names or getattr(parameter, "hidden", False):
        return None
    shown = ", ".join(f"`{name}`" for name in names)
    if parameter.param_type_name == "argument":
        shown = f"`{parameter.metavar or parameter.name.upper()}`"
    variables = parameter.envvar or []
    environment = ", ".join(
        f"`{name}`" for name in ([variables] if isinstance(variables, str) else variables)
    )
    meaning = (parameter.help or "").replace("|", "\\|")
    return f"| {shown} | {environment} | {_default(parameter)} | {meaning} |"


def _default(parameter: Any) -> str:  # noqa: ANN401 - as above
    if parameter.required:
        return "required"
    default = parameter.default
    if default is None or default is False or callable(default):
        return ""
    if default is True:
        return "yes"
    return f"`{getattr(default, 'value', default)}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
