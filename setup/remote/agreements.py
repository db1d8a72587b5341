"""Contracts, where a command takes more than one request: asking for one, changing, signing, comparing.

What lives here: these commands. What does not: those of one request (``verbs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from setup.remote.commands import (
    Common,
    FormOption,
    ProfileOption,
    QuietOption,
    TryOption,
    UrlOption,
    YesOption,
    ask_first,
)
from setup.remote.connection import Body, Connection
from setup.remote.errors import UsageError
from setup.remote.operations import call, items
from setup.remote.output import Output, OutputForm
from setup.remote.verbs import CONTRACTS

TERMS: Final = ("datastreams", "predicate", "fields", "purpose", "starts_at", "ends_at")
_COLUMNS: Final = CONTRACTS[0].columns.split()

_Contract = Annotated[str, typer.Argument(help="The contract.", metavar="CONTRACT")]
_Purpose = Annotated[str, typer.Option("--purpose", help="What the records are for.")]
_OtherPurpose = Annotated[str | None, typer.Option("--purpose", help="What the records are for.")]
_Datastreams = Annotated[
    list[str] | None, typer.Option("--datastream", help="A Datastream; all of the provider when left out.")
]
_Fields = Annotated[
    list[str] | None, typer.Option("--field", help="An additional member that may leave; all when left out.")
]
_Predicate = Annotated[str | None, typer.Option("--predicate", help="Which records: result < 4")]
_Starts = Annotated[str | None, typer.Option("--starts-at", help="When it begins (RFC 3339).")]
_Ends = Annotated[str | None, typer.Option("--ends-at", help="When it ends (RFC 3339).")]
_Side = Annotated[str, typer.Option("--side", help="provider or consumer; what you may when left out.")]


def request_contract(  # what can be agreed on
    *,
    provider: Annotated[str, typer.Argument(help="The system that gives.", metavar="PROVIDER")],
    consumer: Annotated[str, typer.Argument(help="The system that receives.", metavar="CONSUMER")],
    purpose: _Purpose,
    datastreams: _Datastreams = None,
    predicate: _Predicate = None,
    fields: _Fields = None,
    starts_at: _Starts = None,
    ends_at: _Ends = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Do not sign it yet: the other side sees nothing.")
    ] = False,
    dry_run: TryOption = False,
    output: FormOption = OutputForm.TABLE,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Ask another system for records, or offer yours, and sign for your side.

    [bold]Examples[/bold]

      dtwin contract request is.iceland.Weather.Stations cz.icecars.Fleet.Car1 --purpose 'To know about ice'
      dtwin contract request is.iceland.Weather.Stations cz.icecars.Fleet.Car1 --purpose Ice --draft
    """
    given: Body = {"predicate": predicate, "starts_at": starts_at, "ends_at": ends_at}
    given |= {"datastreams": datastreams or None, "fields": fields or None}
    body = {name: value for name, value in given.items() if value is not None}
    body |= {"provider": provider, "consumer": consumer, "purpose": purpose}
    common = Common(Output(output, quiet), url, profile)
    with common.connect() as connection:
        query = {"dry_run": "true"} if dry_run else {}
        found = call(connection, "create_contract", {}, body, query)
        if not (draft or dry_run):
            found = sign(connection, found, found["begun_by"])
    common.output.show(found, _COLUMNS, ())
    if dry_run:
        common.output.say("This was a trial: nothing is changed.")
    else:
        common.output.say(next_step(found))


def edit_contract(
    *,
    contract: _Contract,
    purpose: _OtherPurpose = None,
    datastreams: _Datastreams = None,
    predicate: _Predicate = None,
    fields: _Fields = None,
    starts_at: _Starts = None,
    ends_at: _Ends = None,
    dry_run: TryOption = False,
    output: FormOption = OutputForm.TABLE,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Write other terms as the next version; what is left out stays, and both sides sign anew.

    [bold]Examples[/bold]

      dtwin contract edit c-2mzq7tg5kx4h6vwa --predicate 'result < 0'
    """
    given: Body = {"purpose": purpose, "predicate": predicate, "starts_at": starts_at, "ends_at": ends_at}
    given |= {"datastreams": datastreams or None, "fields": fields or None}
    common = Common(Output(output, quiet), url, profile)
    with common.connect() as connection:
        shown = call(connection, "show_contract", {"contract": contract})
        terms = terms_of(shown["versions"][0])
        body = terms | {name: value for name, value in given.items() if value is not None}
        body["version"] = shown["version"]
        query = {"dry_run": "true"} if dry_run else {}
        found = call(connection, "change_contract", {"contract": contract}, body, query)
    common.output.show(found, _COLUMNS, ())
    common.output.say("This was a trial: nothing is changed." if dry_run else next_step(found))


def sign_contract(
    *,
    contract: _Contract,
    side: _Side = "",
    yes: YesOption = False,
    output: FormOption = OutputForm.TABLE,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Show the version that waits and sign it, for every side that you may sign for.

    [bold]Examples[/bold]

      dtwin contract sign c-2mzq7tg5kx4h6vwa
      dtwin contract sign c-2mzq7tg5kx4h6vwa --side provider --yes
    """
    common = Common(Output(output, quiet), url, profile)
    with common.connect() as connection:
        found = call(connection, "show_contract", {"contract": contract})
        sides = [side] if side else found["to_sign"]
        if not sides:
            raise UsageError(f"Nothing of {contract} waits for you. State: {found['state']}.")
        for name, value in terms_of(found["versions"][0]).items():
            common.output.say(f"  {name}: {value if value not in (None, '', []) else '(no limit)'}")
        ask_first(f"Sign version {found['version']} of {contract} as {' and '.join(sides)}?", yes=yes)
        for one in sides:
            found = sign(connection, found, one)
    common.output.show(found, _COLUMNS, ())
    common.output.say(next_step(found))


def with_side(connection: Connection, names: Mapping[str, Any], body: Body) -> Body:
    """Complete what declines or revokes a contract: for the side that is the person's.

    Raises:
        UsageError: there is no reason, or neither side is theirs.
        RemoteError: the platform refuses to tell.
    """
    if not body.get("reason"):
        raise UsageError("Say why: the other side reads it.\n  What to do: --reason TEXT")
    if body.get("side"):
        return body
    found = call(connection, "show_contract", names)
    ours = {system["name"] for system in items(connection, "list_systems")}
    sides = [*found["to_sign"], *(side for side in ("provider", "consumer") if found[side] in ours)]
    if not sides:
        raise UsageError(f"Neither side of {found['id']} is yours.")
    return {**body, "side": sides[0]}


def sign(connection: Connection, contract: Mapping[str, Any], side: str) -> Body:
    """Sign what was looked at, for one side; return the contract as it is then.

    Raises:
        RemoteError: it was refused, for instance because it is no longer what was looked at.
    """
    body = {"side": side, "version": contract["version"], "digest": contract["versions"][0]["digest"]}
    return dict(call(connection, "sign_contract", {"contract": contract["id"]}, body))


def next_step(contract: Mapping[str, Any]) -> str:
    """Say what has to happen until a contract is in force; empty when it is."""
    waiting = waits_for(contract)
    if not waiting:
        return ""
    return f"{contract['id']} waits for the signature of {' and '.join(waiting)}."


def waits_for(contract: Mapping[str, Any]) -> list[str]:
    """Return the sides that have not signed the version that waits, each with its system."""
    version = contract["versions"][0]
    if version["state"] != "open":
        return []
    signed = {one["side"] for one in version["signatures"]}
    return [f"the {side} ({contract[side]})" for side in ("provider", "consumer") if side not in signed]


def terms_of(version: Mapping[str, Any]) -> Body:
    """Return what a version says, without who wrote it and when."""
    return {name: version[name] for name in TERMS}
