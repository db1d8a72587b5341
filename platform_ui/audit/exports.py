"""Files of audit entries: JSON Lines and CSV, piece by piece, and reading them back for a check.

What lives here: the forms of files. What does not: which entries somebody may have (the pages above).

In JSON Lines every line is one object: an entry as ``chain.facts_of`` gives it, or ``{"seal": {...}}``. In
CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe.

Sources: RFC 4180 (CSV), OWASP "CSV Injection".
"""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.audit import service
from platform_ui.audit.chain import ChainCheck, Facts, facts_of, facts_of_seal
from platform_ui.audit.models import AuditEntry
from platform_ui.audit.sealing import list_seals
from platform_ui.audit.service import Wanted
from platform_ui.errors import AuditBrokenError


class FileForm(StrEnum):
    """The form of a file, as its ending."""

    JSON_LINES = "jsonl"
    CSV = "csv"


JSON_LINES: Final = "application/x-ndjson"
CSV: Final = "text/csv; charset=utf-8"
_COLUMNS: Final = (
    "position",
    "at",
    "user_email",
    "actor_kind",
    "action",
    "object_name",
    "detail",
    "before",
    "after",
    "address",
    "request_id",
    "hash",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


async def json_lines(
    session: AsyncSession, wanted: Wanted, *, with_seals: bool = False
) -> AsyncIterator[str]:
    """Give entries, oldest first, and behind them all seals if they are wanted."""
    async for entry in service.stream(session, wanted):
        yield _line(facts_of(entry))
    if with_seals:
        for seal in await list_seals(session):
            yield _line({"seal": facts_of_seal(seal)})


def _line(facts: Facts) -> str:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")) + "\n"


async def csv_lines(session: AsyncSession, wanted: Wanted) -> AsyncIterator[str]:
    """Give entries as CSV, oldest first, below a line of column names."""
    yield _row(list(_COLUMNS))
    async for entry in service.stream(session, wanted):
        yield _row(_cells(entry))


def _cells(entry: AuditEntry) -> list[str]:
    facts = facts_of(entry)
    return [_cell(facts[name]) for name in _COLUMNS]


def _cell(value: object) -> str:
    """Write a value so that no spreadsheet computes it."""
    if value is None or value == {}:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def check_file(path: Path, key: Ed25519PublicKey | None) -> tuple[ChainCheck, bool]:
    """Check a file in JSON Lines: the whole chain, or each entry alone when the file is an excerpt.

    Args:
        path: The file.
        key: The public audit key; None to leave the seals' signatures unchecked.

    Returns:
        What was checked, and whether it was the whole chain.

    Raises:
        AuditBrokenError: The log is not as it was written; the error names the first broken entry.
        OSError: The file cannot be read.
    """
    seals = [line["seal"] for line in _lines(path) if "seal" in line]
    is_whole = bool(seals)  # only an operator's file has them
    check = ChainCheck(seals, key, is_whole=is_whole)
    for line in _lines(path):
        if "seal" not in line:
            check.take(line)
    check.end()
    return check, is_whole


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                facts = json.loads(line)
                is_ours = "seal" in facts or {"position", "hash", "previous_hash", "id"} <= facts.keys()
            except (ValueError, TypeError, AttributeError):
                is_ours = False
            if not is_ours:
                raise AuditBrokenError(number, f"line {number} of {path.name} is no entry")
            yield facts
