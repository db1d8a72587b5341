"""The filter of reports, as pages and the API take it.

What lives here: its fields. What does not: what they select (``reports``).
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from platform_ui.client_logs.reports import Wanted
from platform_ui.fields import Form


def _nothing_for_blank(value: object) -> object:
    return None if value == "" else value


def _in_utc(time: datetime | None) -> datetime | None:
    """Read a time without an offset as UTC, as fields of browsers give it."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


Level = Literal["", "ALL", "STATE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
_Time = Annotated[datetime | None, BeforeValidator(_nothing_for_blank), AfterValidator(_in_utc)]


class ReportFilterForm(Form):
    """Which reports to show; times without an offset are in UTC."""

    client: str = Field(default="", max_length=20)
    level: Level = ""
    q: str = Field(default="", max_length=200)
    since: _Time = None
    until: _Time = None

    def wanted(self, client: str = "") -> Wanted:
        """Return what to look for.

        Args:
            client: the client app whose reports these are; the one of the form when empty.
        """
        return Wanted(client or self.client, self.level, self.q, self.since, self.until)
