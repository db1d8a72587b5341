"""The nouns of the command line, put together from the table and the commands that are written by hand.

What lives here: which command is where. What does not: what they do. A noun is put together when it is used.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import typer
import typer.main
from typer.core import TyperGroup

from setup.errors import PartMissingError
from setup.lazy_group import MOUNTS
from setup.remote import agreements, log_in, topics
from setup.remote.code import commands as code
from setup.remote.commands import Prepare, make_command
from setup.remote.verbs import VERBS

if TYPE_CHECKING:
    from typer._click import Command, Context  # the base classes of TyperGroup's signatures

Function = Callable[..., None]

BY_HAND: Final[Mapping[str, Function]] = {
    "login": log_in.login,
    "logout": log_in.logout,
    "whoami": log_in.whoami,
    "profile list": log_in.list_profiles,
    "profile use": log_in.use_profile,
    "profile show": log_in.show_profile,
    "profile remove": log_in.remove_profile,
    "config show": log_in.show_configuration,
    "contract request": agreements.request_contract,
    "contract edit": agreements.edit_contract,
    "contract sign": agreements.sign_contract,
    "topic tail": topics.tail,
    "export": code.export,
    "plan": code.plan,
    "apply": code.apply,
}
"""Commands with more than one request, or with none."""

_PREPARED: Final[Mapping[str, Prepare]] = {
    "decline_contract": agreements.with_side,
    "revoke_contract": agreements.with_side,
}
_LOCAL: Final = {
    "run": "Run a stream app on this machine.",
    "validate": "Check a statement on this machine.",
    "explain": "Say what a statement does, on this machine.",
    "preview": "Try a statement on recorded data, on this machine.",
}


class AppGroup(TyperGroup):
    """Stream apps: those of a platform, and the commands of `streamhub` that work on this machine."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return all names."""
        return [*_LOCAL, *super().list_commands(ctx)]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return a command; for one of `streamhub` a stand-in, which is all a listing needs."""
        if cmd_name in _LOCAL:
            return typer.core.TyperCommand(cmd_name, help=_LOCAL[cmd_name])
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Return the command to run; this is where `streamhub` is imported."""
        if args and args[0] in _LOCAL:
            return args[0], _local_command(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def load(noun: str) -> typer.Typer:
    """Put a noun together."""
    group = _new_group(noun, AppGroup if noun == "app" else TyperGroup)
    inner: dict[str, typer.Typer] = {}
    for words, function in _functions(noun).items():
        *between, last = words.split()[1:] or [noun]
        place = group
        if between:
            name = between[0]
            if name not in inner:
                inner[name] = _new_group(f"{noun} {name}")
                group.add_typer(inner[name], name=name)
            place = inner[name]
        place.command(last)(function)
    return group


def words() -> list[str]:
    """Return all commands of this package, as they are typed after `dtwin`."""
    return sorted({*BY_HAND, *(verb.words for verb in VERBS)})


def _functions(noun: str) -> dict[str, Function]:
    found = {
        verb.words: make_command(verb, _PREPARED.get(verb.operation))
        for verb in VERBS
        if verb.words.split()[0] == noun
    }
    return found | {words: function for words, function in BY_HAND.items() if words.split()[0] == noun}


def _new_group(name: str, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    said = MOUNTS[name].help if name in MOUNTS else ""
    group = typer.Typer(
        name=name.rsplit(maxsplit=1)[-1],
        cls=cls,
        help=said or f"The {name.rsplit(maxsplit=1)[-1]}s of a {name.split(maxsplit=1)[0]}.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="rich",
    )
    if len(_commands_below(name)) > 1 or any(" " in words for words in _commands_below(name)):
        group.callback()(lambda: None)  # a group stays one, even with a single command
    return group


def _commands_below(name: str) -> list[str]:
    return [one for one in words() if one == name or one.startswith(f"{name} ")]


def _local_command(name: str) -> Any:  # noqa: ANN401 - a class of the library's inside
    if importlib.util.find_spec("lark") is None or importlib.util.find_spec("msgspec") is None:
        raise PartMissingError(f"`dtwin app {name}` needs more: pip install 'digital-twin-stack[streamhub]'.")
    from streamhub.commands import app  # noqa: PLC0415 (needs the extra `streamhub`, checked above)

    group = typer.main.get_command(app)
    return group.commands[name]  # type: ignore[attr-defined]
