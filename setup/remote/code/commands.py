"""The commands `dtwin export`, `dtwin plan` and `dtwin apply`.

What lives here: what they take and print. What does not: the work (``platform``, ``planning``, ``steps``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from setup.remote.code.documents import Document, in_order, text_of
from setup.remote.code.planning import Action, Plan, Step, make_plan
from setup.remote.code.platform import Found, read_platform
from setup.remote.code.reading import read_documents
from setup.remote.code.steps import do_step
from setup.remote.commands import (
    Common,
    FormOption,
    ProfileOption,
    QuietOption,
    UrlOption,
    YesOption,
    ask_first,
)
from setup.remote.connection import Connection
from setup.remote.errors import PENDING, ProblemError, RemoteError, UsageError
from setup.remote.operations import call
from setup.remote.output import Output, OutputForm

_Files = Annotated[
    list[Path], typer.Argument(help="Files or folders of documents; - for input.", metavar="FILE...")
]
_Prune = Annotated[
    bool,
    typer.Option("--prune", help="Delete what no document names, in what they name."),
]
_SIGNS: Final = {Action.CREATE: "+", Action.CHANGE: "~", Action.DELETE: "-"}
_NEEDS_ANOTHER: Final = frozenset({"contract.needed"})


class Undone(RemoteError):  # noqa: N818 - what is left, not what broke
    """Some steps wait for somebody else."""

    exit_code = PENDING


def export(
    *,
    company: Annotated[
        list[str] | None, typer.Option("--company", help="Only of this company; all of yours when left out.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--to",
            help="A file, or a folder with one for each company; standard output when left out, or with -.",
        ),
    ] = None,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Write companies, people, systems, clients, contracts, offers and stream apps as documents of YAML.

    There are no secrets in them and no ids; the same platform gives the same bytes.

    [bold]Examples[/bold]

      dtwin export -o twin.yaml
      dtwin export --company cz.icecars
      dtwin export -o twin/
    """
    common = Common(Output(is_quiet=quiet), url, profile)
    with common.connect() as connection:
        documents = [one.document for one in read_platform(connection, company or ())]
    is_output = str(to) == "-"
    if to is not None and not is_output and (to.is_dir() or not to.suffix):
        _write_folder(documents, to, common.output)
    else:
        common.output.write_file(text_of(documents).encode(), None if is_output else to)


def plan(
    *,
    files: _Files,
    prune: _Prune = False,
    output: FormOption = OutputForm.TABLE,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Show what `dtwin apply` would do; the exit code is 3 when there is something.

    [bold]Examples[/bold]

      dtwin plan twin.yaml
      dtwin plan twin/ --prune
    """
    common = Common(Output(output, quiet), url, profile)
    documents = read_documents(files)
    with common.connect() as connection:
        found = _plan(connection, documents, prune=prune)
    _show(found, common.output)
    if found.steps:
        raise typer.Exit(PENDING)


def apply(
    *,
    files: _Files,
    prune: _Prune = False,
    yes: YesOption = False,
    quiet: QuietOption = False,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Make a platform as documents say: what they name is created and changed, in the order that it needs.

    Run it again after an interruption: what is done is not done twice. A contract needs both sides; what you
    cannot sign is left as proposed. The exit code is 3 when something waits for somebody else.

    [bold]Examples[/bold]

      dtwin apply twin.yaml
      dtwin apply twin/ --prune --yes
    """
    output = Output(is_quiet=quiet)
    common = Common(output, url, profile)
    documents = read_documents(files)
    with common.connect() as connection:
        found = _plan(connection, documents, prune=prune)
        _show(found, output)
        if not found.steps:
            return
        ask_first("Do this?" if len(found.steps) == 1 else f"Do these {len(found.steps)} steps?", yes=yes)
        left = [one for one in found.steps if not _did(connection, one, output)]
    steps = "1 step" if len(found.steps) == 1 else f"{len(found.steps)} steps"
    output.say(f"{len(found.steps) - len(left)} of {steps} done.")
    if left:
        raise Undone("\n".join(f"Left: {step.document.label}" for step in left))


def _plan(connection: Connection, documents: Sequence[Document], *, prune: bool) -> Plan:
    companies = {name for document in documents for name in document.companies}
    people = {document.body["of"] for document in documents if document.kind == "Members"}
    found = [
        _with_invited(connection, one) if one.document.kind == "Members" else one
        for one in read_platform(connection, companies, people)
    ]
    me = call(connection, "show_session")["email"] or ""
    return make_plan(documents, found, prune=prune, me=me)


def _with_invited(connection: Connection, people: Found) -> Found:
    """Add who is invited: nothing is left to do for them."""
    kind, name = people.answer["kind"], people.answer["name"]
    try:
        answer = call(connection, f"list_{kind}_invitations", {"name": name})
    except ProblemError:  # only those who may invite see it
        return people
    invited = {one["email"]: one["role"] for one in answer["items"]}
    return Found(people.document, {**people.answer, "invited": invited})


def _did(connection: Connection, step: Step, output: Output) -> bool:
    """Do a step; return whether it is done, or waits for somebody else.

    Raises:
        RemoteError: it failed; steps before it are done.
    """
    if step.blocked:
        output.say(f"! {step.document.label}: {step.blocked}.")
        return False
    try:
        do_step(connection, step, output.say)
    except ProblemError as error:
        if error.code in _NEEDS_ANOTHER:
            output.say(f"! {step.document.label}: {error}")
            return False
        place = f" ({step.document.place})" if step.document.place else ""
        output.say(f"! {step.document.label}{place}: what was done before stays; run it again to go on.")
        raise
    output.say(f"{_SIGNS[step.action]} {step.document.label}: done.")
    return True


def _show(found: Plan, output: Output) -> None:
    if output.form in {OutputForm.JSON, OutputForm.YAML}:
        output.show({"steps": [_row(step) for step in found.steps], "notes": list(found.notes)}, (), ())
        return
    for step in found.steps:
        typer.echo(f"{_SIGNS[step.action]} {step.document.label}")
        if output.form is OutputForm.TABLE:
            for name, before, after in step.changes:
                typer.echo(f"    {name}: {_text(before)} -> {_text(after)}")
            if step.blocked:
                typer.echo(f"    {step.blocked}")
    for note in found.notes:
        output.say(note)
    if not found.steps:
        output.say("Nothing is to be done.")


def _row(step: Step) -> dict[str, Any]:
    return {
        "action": step.action.value,
        "kind": step.document.kind,
        "name": " ".join(step.document.identity[1:]),
        "changes": [{"name": name, "before": one, "after": two} for name, one, two in step.changes],
        "blocked": step.blocked,
    }


def _text(value: Any) -> str:  # noqa: ANN401 - a member of any document
    return "(nothing)" if value in (None, "", []) else str(value)


def _write_folder(documents: Sequence[Document], folder: Path, output: Output) -> None:
    """Write a file for each company; a contract goes to its provider, or where it is known."""
    files: dict[str, list[Document]] = {}
    own = {document.body["name"] for document in documents if document.kind == "Company"}
    for document in in_order(documents):
        named = sorted(document.companies, key=lambda name: (name not in own, name))
        files.setdefault(named[0], []).append(document)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}.") from error
    for name, those in files.items():
        output.write_file(text_of(those).encode(), folder / f"{name}.yaml")
