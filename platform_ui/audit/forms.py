"""The filter of the audit log's pages.

What lives here: its fields. What does not: what they select (``service``).
"""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field

from platform_ui.audit.exports import FileForm
from platform_ui.audit.service import Wanted
from platform_ui.fields import Form


def _nothing_for_blank(value: object) -> object:
    return None if value == "" else value


_Day = Annotated[date | None, BeforeValidator(_nothing_for_blank)]
_Position = Annotated[int | None, BeforeValidator(_nothing_for_blank), Field(ge=1, lt=2**63)]


class AuditFilterForm(Form):
    """Which entries to show; days are in UTC, the last one included."""

    object: str = Field(default="", max_length=150)
    person: str = Field(default="", max_length=254)
    action: str = Field(default="", max_length=50)
    since: _Day = None
    until: _Day = None
    before: _Position = None

    def wanted(self, within: str) -> Wanted:
        """Return what to look for among the entries of a company or system."""
        return Wanted(
            within=within,
            object_name=self.object,
            person=self.person,
            action=self.action,
            since=None if self.since is None else _midnight(self.since),
            until=None if self.until is None or self.until == date.max else _midnight(self.until + _A_DAY),
        )


class ExportForm(AuditFilterForm):
    """Which entries to export, and the form of the file."""

    form: FileForm = FileForm.JSON_LINES


_A_DAY = timedelta(days=1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
