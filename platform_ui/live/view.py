"""What the page of live records shows: what was asked for, what was found, and links to more of it.

What lives here: addresses and words. What does not: handlers (``pages``), reading (``service``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup

from platform_ui.live.exports import MOST_LOOKED_AT, MOST_RECORDS, can_write_parquet
from platform_ui.live.forms import AT_A_TIME, TAB_WORDS, FileKind, PageForm, Tab, write_begin, write_positions
from platform_ui.live.reading import Begin, Edge
from platform_ui.live.records import LiveRecord
from platform_ui.live.scope import Scope
from platform_ui.live.service import Found
from platform_ui.web.look import CURRENT
from platform_ui.web.times import format_iso, when_text
from streamhub.errors import QueryError

BEGINS: Final = (
    (Edge.LATEST.value, "the newest, and what comes"),
    ("-15m", "15 minutes ago"),
    ("-1h", "an hour ago"),
    ("-1d", "a day ago"),
    (Edge.EARLIEST.value, "the oldest"),
    (AT_A_TIME, "a time (UTC):"),
)
FILE_NAMES: Final = {FileKind.CSV: "CSV", FileKind.JSON_LINES: "JSON lines", FileKind.PARQUET: "Parquet"}
LIMITS: Final = (50, 100, 250, 1_000)
SHOWN_FILTERS: Final = (
    ("result < 4", "results below 4"),
    ("thing = 'Main' AND result BETWEEN 10 AND 20", "of one Thing, in a range"),
    ("name LIKE '%Temperature'", "Datastreams by the end of their names"),
    ("quality IS NOT NULL", "records with an additional attribute"),
)


def clock(moment: datetime | None, text: str) -> str:
    """Return the element of a time of a record, to the millisecond in the person's zone.

    Args:
        moment: the time; nothing where what stands there is none.
        text: what stands there.
    """
    if moment is None:
        return text
    local = moment.astimezone(CURRENT.get().zone)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        format_iso(moment), when_text(moment), f"{local:%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"
    )


def literal(text: str) -> str:
    """Write a text as the language has it."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class LiveView:
    """A page of live records.

    Attributes:
        scope: What the person may see.
        form: What they ask for.
        begin: Where to begin.
        found: What was found; nothing when nothing could be asked.
        records: The same with units, in the order in which they are shown.
        fault: What is wrong with the filter.
        problem: Why nothing could be read.
        errors: What is wrong with other fields.
    """

    scope: Scope
    form: PageForm
    begin: Begin
    found: Found | None = None
    records: Sequence[LiveRecord] = ()
    fault: QueryError | None = None
    problem: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Whether what comes is added at the top."""
        return self.begin is Edge.LATEST and self.found is not None

    @property
    def at(self) -> str:
        """The time for its field; empty when it begins elsewhere."""
        return (
            f"{self.begin:%Y-%m-%dT%H:%M}" if self._is_at_a_time and isinstance(self.begin, datetime) else ""
        )

    @property
    def chosen_begin(self) -> str:
        """Which of the choices of where to begin is marked."""
        return AT_A_TIME if self._is_at_a_time else self.form.begin

    @property
    def _is_at_a_time(self) -> bool:
        return self.form.begin not in {value for value, _ in BEGINS if value != AT_A_TIME}

    @property
    def tabs(self) -> list[tuple[str, str, bool]]:
        """The topics, as tabs."""
        return [
            (
                self.address(topic="" if tab is Tab.INT else tab.value),
                f"{TAB_WORDS[tab]} .{tab}",
                tab is self.form.topic,
            )
            for tab in self.scope.tabs
        ]

    @property
    def topic_name(self) -> str:
        """The whole name of the topic."""
        return self.scope.topic(self.form.topic)

    @property
    def live_address(self) -> str:
        """Where what comes is streamed, from behind what is shown."""
        positions = write_positions(self.found.positions) if self.found else ""
        return self._part("events", {"from": positions or Edge.LATEST.value})

    @property
    def check_address(self) -> str:
        """Where the filter is checked while it is typed."""
        return self._to(f"/live/{self.scope.system}/check", {"contract": self._contract})

    @property
    def next_address(self) -> str:
        """What follows what is shown; empty when nothing does."""
        if self.found is None or not self.found.is_cut or self.begin is Edge.LATEST:
            return ""
        return self.address(**{"from": write_positions(self.found.positions)})

    @property
    def api_path(self) -> str:
        """The same for programs."""
        values = {name: text for name, text in self._values().items() if name not in {"system", "more"}}
        return self._to(f"/api/v1/systems/{self.scope.system}/records", values)

    @property
    def files(self) -> list[tuple[str, str]]:
        """Addresses of files of what is shown, and their names."""
        return [
            (self._part("export", {"from": write_begin(self.begin), "form": kind.value}), FILE_NAMES[kind])
            for kind in FileKind
            if kind is not FileKind.PARQUET or can_write_parquet()
        ]

    @property
    def file_note(self) -> str:
        """What there is to know about files."""
        bound = (
            f"At most {MOST_RECORDS:,} records that match, of at most {MOST_LOOKED_AT:,} that are looked at."
        )
        return bound if can_write_parquet() else f"{bound} Parquet needs pyarrow on the platform's machine."

    @property
    def app_address(self) -> str:
        """The form of a stream app that does what the filter does; empty where the person may make none."""
        if not self.scope.is_agent or self.form.topic is not Tab.INT or self.fault or not self.form.filter:
            return ""
        name = self.scope.system
        statement = f"SELECT * FROM {name}\n  WHERE {self.form.filter};"  # noqa: S608 - our own language
        return self._to(f"/systems/{name}/apps/new", {"statement": statement})

    def address(self, **changes: str) -> str:
        """Return the address of this page with other parameters."""
        return self._to("/live", self._values() | changes)

    def narrowed(self, name: str) -> str:
        """Return the address of this page with the records of one Datastream."""
        condition = f"name = {literal(name)}"
        if not self.form.filter or self.fault or condition in self.form.filter:
            return self.address(filter=condition)
        return self.address(filter=f"({self.form.filter}) AND {condition}")

    def record_address(self, record: LiveRecord) -> str:
        """Return the address of the page of one record."""
        values = {"topic": self.form.topic.value, "contract": self._contract}
        return self._to(f"/live/{self.scope.system}/records/{record.position}", values)

    @property
    def _contract(self) -> str:
        return self.scope.terms.id if self.scope.terms and len(self.scope.contracts) > 1 else ""

    def _values(self) -> dict[str, str]:
        form = self.form
        begin = form.begin if not self._is_at_a_time else write_begin(self.begin)
        return {
            "system": self.scope.system,
            "topic": "" if form.topic is Tab.INT else form.topic.value,
            "filter": form.filter,
            "from": "" if begin == Edge.LATEST.value else begin,
            "limit": "" if form.limit == PageForm().limit else str(form.limit),
            "more": "true" if form.more else "",
            "contract": self._contract,
        }

    def _part(self, name: str, changes: dict[str, str]) -> str:
        values = self._values() | changes
        del values["system"]
        return self._to(f"/live/{self.scope.system}/{name}", values)

    @staticmethod
    def _to(path: str, values: dict[str, str]) -> str:
        chosen = {name: text for name, text in values.items() if text}
        return f"{path}?{urlencode(chosen)}" if chosen else path
