"""What there is to say about a statement while it is being typed: faults, plan, rights.

What lives here: putting the answers of the language, of the registry and of SensorThings together. What does
not: the rules themselves (``statements``, ``permission``), and trying the statement (``trial``).
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import InvalidNameError
from client.messaging.topics import SystemName
from platform_ui.accounts.models import User
from platform_ui.errors import MetadataError
from platform_ui.streams import statements
from platform_ui.streams.editor.plan import Plan, plan_of
from platform_ui.streams.editor.rights import Right, rights_of
from platform_ui.streams.forms import CheckForm
from platform_ui.streams.statements import Compiled
from platform_ui.systems import service as systems
from platform_ui.systems.models import System
from streamhub.errors import QueryError
from streamhub.outputs import MetadataRegistry

# What a fault is drawn under: a text, a quoted name, a dotted name or number, an operator, or one character.
_TOKEN: Final = re.compile(r"'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|[\w.-]*\w|[<>!=]+|\S")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A fault of a statement, with its place.

    Attributes:
        message: What is wrong, one sentence.
        expected: What could stand there instead, in words.
        line: Line, counted from 1.
        column: Column in characters, counted from 1.
        end_line: Line of the end.
        end_column: Column behind the last character that is meant.
        drawing: Message, line and a caret under the place.
    """

    message: str
    expected: tuple[str, ...]
    line: int
    column: int
    end_line: int
    end_column: int
    drawing: str

    @classmethod
    def of(cls, error: QueryError) -> "Diagnostic":
        """Return the fault that an error of the language tells."""
        lines = error.statement.split("\n")
        text = lines[error.line - 1] if error.line <= len(lines) else ""
        found = _TOKEN.match(text, error.column - 1)
        end = found.end() + 1 if found else error.column
        return cls(error.reason, error.expected, error.line, error.column, error.line, end, error.render())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there is to say about a statement.

    Attributes:
        diagnostics: Its faults; it may be saved when there are none.
        plan: What it would do; nothing when it cannot be read.
        rights: For every source and the target: allowed by what, or what is missing.
        target_fault: Why the target cannot be one; empty when it can, or is not known yet.
        problem: What could not be checked because another service does not answer; empty for nothing.
    """

    diagnostics: tuple[Diagnostic, ...] = ()
    plan: Plan | None = None
    rights: tuple[Right, ...] = ()
    target_fault: str = ""
    problem: str = ""

    @property
    def is_understood(self) -> bool:
        """Whether the statement itself is right, whatever contracts are missing."""
        return not self.diagnostics and not self.problem


async def judge(
    session: AsyncSession, user: User, home: System, form: CheckForm, metadata: MetadataRegistry
) -> Verdict:
    """Check a statement for an app of a system; nothing is saved.

    Args:
        session: the database.
        user: who types it, an agent of the system.
        home: the system that the app belongs to.
        form: the statement, and the target as far as it is known.
        metadata: the SensorThings service, asked only when the statement depends on units.
    """
    target, target_fault = await target_of(session, home, form.target_system)
    try:
        compiled = await asyncio.to_thread(statements.compile_for, home.name, form.statement)
    except QueryError as error:
        return Verdict((Diagnostic.of(error),), target_fault=target_fault)
    rights = await rights_of(session, user, home, compiled, target)
    diagnostics: tuple[Diagnostic, ...] = ()
    problem = ""
    try:
        await _check(session, user, home, compiled, (target or None, metadata))
    except QueryError as error:
        diagnostics = (Diagnostic.of(error),)
    except MetadataError as error:
        problem = error.fields.get("statement", error.detail)
    return Verdict(diagnostics, plan_of(compiled, home.name, target), rights, target_fault, problem)


async def _check(
    session: AsyncSession,
    user: User,
    home: System,
    compiled: Compiled,
    ends: tuple[str | None, MetadataRegistry],
) -> None:
    target, metadata = ends
    await statements.check_access(session, user, home.name, compiled, target)
    await statements.check_units_of(compiled, home.name, metadata, (user.email, target))


async def target_of(session: AsyncSession, home: System, name: str) -> tuple[str, str]:
    """Return the target's name when it can be one, else an empty text, and why it cannot.

    Args:
        session: the database.
        home: the system that the app belongs to.
        name: what was typed; empty while it is not known.
    """
    if not name:
        return "", ""
    try:
        parsed = SystemName.parse(name)
    except InvalidNameError as error:
        return "", str(error)
    if name == home.name:
        return "", "The target must be another system than the source."
    # Of another company, one that is not there looks like one without a contract.
    if (
        parsed.company == SystemName.parse(home.name).company
        and await systems.find_system(session, name) is None
    ):
        return "", f"There is no system named {name}."
    return name, ""
