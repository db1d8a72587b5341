"""The command line of the audit log: check it, export it, make the key that seals it.

What lives here: options and what is printed. What does not: the checks (``chain``, ``sealing``) and the form
of files (``exports``).
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Never, TypeVar

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import ConfigurationError
from platform_ui.audit import exports, keys, sealing
from platform_ui.audit.chain import ChainCheck
from platform_ui.audit.service import Wanted
from platform_ui.db import create_engine, create_sessions, now
from platform_ui.errors import AuditBrokenError
from platform_ui.settings import database_url

_FAILURE, _USAGE, _BROKEN, _UNAVAILABLE = 1, 2, 3, 6
_Result = TypeVar("_Result")
_KeyOption = Annotated[
    Path | None,
    typer.Option("--key", help=f"The audit key, or its public part \\[the file of {keys.SETTING}]."),
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the platform's."""
    app.command("verify-audit")(verify_audit)
    app.command("export-audit")(export_audit)
    app.command("make-audit-key")(make_audit_key)


def verify_audit(
    export: Annotated[
        Path | None, typer.Option(help="Check this exported file (JSON Lines) and not the database.")
    ] = None,
    key: _KeyOption = None,
) -> None:
    """Check that the audit log is as it was written; name the first broken entry (exit status 3)."""
    try:
        public = _public_key(key)
        if export is None:
            check, is_whole = _run(lambda session: sealing.check_log(session, public)), True
        else:
            check, is_whole = exports.check_file(export, public)
    except AuditBrokenError as error:
        _fail(error.detail, _BROKEN)
    except OSError as error:
        _fail(f"{export} cannot be read: {error.strerror}", _FAILURE)
    except ConfigurationError as error:
        _fail(str(error), _USAGE)
    typer.echo(_verdict(check, public, is_whole=is_whole))


def _verdict(check: ChainCheck, key: Ed25519PublicKey | None, *, is_whole: bool) -> str:
    if not is_whole:
        return f"{check.entries} entries are as they were written; an excerpt cannot tell what is left out"
    believed = f"sealed up to {check.sealed}" if check.sealed else "not sealed yet"
    doubt = "" if key is not None or not check.sealed else "; name the key with --key to check the seals, too"
    return f"{check.entries} entries are as they were written, {believed}{doubt}"


def export_audit(
    file: Annotated[Path, typer.Argument(help="The new file (JSON Lines).")],
    key: _KeyOption = None,
) -> None:
    """Seal the log and write all of it to a file, with its seals."""
    path = key or _key_file()

    async def export(session: AsyncSession) -> int:
        if path is not None:
            await sealing.seal(session, keys.read_key(path), now())
            await session.commit()
        count = 0
        with file.open("x", encoding="utf-8") as target:
            async for line in exports.json_lines(session, Wanted(), with_seals=True):
                target.write(line)
                count += 1
        return count

    try:
        count = _run(export)
    except ConfigurationError as error:
        _fail(str(error), _USAGE)
    except OSError as error:
        _fail(f"{file} cannot be written: {error.strerror}", _FAILURE)
    typer.echo(f"{count} lines are in {file}")


def make_audit_key(file: Annotated[Path, typer.Argument(help="The new file.")]) -> None:
    """Make the key that seals the audit log, and print its public part for whoever checks the log."""
    try:
        key = keys.make_key(file)
    except ConfigurationError as error:
        _fail(str(error), _FAILURE)
    typer.echo(keys.public_text(key.public_key()), nl=False)


def _key_file() -> Path | None:
    name = os.environ.get(keys.SETTING, "").strip()
    return Path(name) if name else None


def _public_key(named: Path | None) -> Ed25519PublicKey | None:
    path = named or _key_file()
    return None if path is None else keys.read_public_key(path)


def _run(work: Callable[[AsyncSession], Awaitable[_Result]]) -> _Result:
    url = database_url(os.environ)

    async def main() -> _Result:
        engine = create_engine(url)
        try:
            async with create_sessions(engine)() as session:
                return await work(session)
        finally:
            await engine.dispose()

    try:
        return asyncio.run(main())
    except SQLAlchemyError as error:
        _fail(f"the database does not do it: {str(error).splitlines()[0]}", _UNAVAILABLE)


def _fail(message: str, code: int) -> Never:
    typer.echo(f"platform: {message}", err=True)
    raise typer.Exit(code)
