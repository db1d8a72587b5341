"""What is put into dashboards: systems, their Datastreams and the stream apps that write to them.

What lives here: reading it from a platform, as the person who is logged in. What does not: the files
(``grafana``, ``kibana``, ``prometheus``). What a person may not see does not come into their files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from setup.remote.connection import Connection, Request, quoted

_SHORTEST: Final = "1h"  # what was measured does not matter here: only what there is
_PREFIX: Final = "dtwin-"


@dataclass(frozen=True, slots=True)
class Stream:
    """A Datastream of a system, own or shared with it.

    Attributes:
        iot_id: Its id in the SensorThings service.
        name: Full name.
        thing: Full name of its Thing.
        system: Full name of the system that it belongs to.
        unit: Symbol of its unit; empty for none.
        unit_code: UCUM code of its unit, as far as it is known.
        observed_property: What it observes.
    """

    iot_id: int | str
    name: str
    thing: str
    system: str
    unit: str
    unit_code: str
    observed_property: str

    def title(self, system: str) -> str:
        """Return its name as it is shown in a dashboard of a system: without that system's name."""
        return self.name.removeprefix(f"{system}.")

    @property
    def path(self) -> str:
        """Its address below the SensorThings service's version."""
        text = str(self.iot_id)
        key = text if text.lstrip("-").isdecimal() else "'" + text.replace("'", "''") + "'"
        return f"/Datastreams({key})"


@dataclass(frozen=True, slots=True)
class SystemFiles:
    """All that goes into the files of one system.

    Attributes:
        name: Full name of the system.
        streams: Its Datastreams, and those shared with it, by name.
        apps: Full names of the stream apps that read it or write to it, `<source system>.<app>`.
    """

    name: str
    streams: Sequence[Stream]
    apps: Sequence[str]

    @property
    def company(self) -> str:
        """Full name of its company."""
        return ".".join(self.name.split(".")[:2])

    @property
    def index(self) -> str:
        """Name of what is searched for it in Elasticsearch: an alias, or a data stream."""
        return f"{_PREFIX}{self.name.lower()}"


def read_systems(
    connection: Connection, *, systems: Sequence[str] = (), companies: Sequence[str] = ()
) -> list[SystemFiles]:
    """Read what there is, by name.

    Args:
        connection: A platform, as somebody sees it.
        systems: Only these; all that the person has a part in when nothing is named.
        companies: And those of these companies.

    Raises:
        RemoteError: Nobody is logged in, nothing answers, or there is no such system.
    """
    apps = [(app["source_system"], app["target_system"], app["name"]) for app in connection.items("/apps")]
    names = sorted(_wanted(connection, systems, companies))
    return [
        SystemFiles(
            name,
            sorted(_streams(connection, name), key=lambda one: one.name),
            sorted({f"{source}.{app}" for source, target, app in apps if name in {source, target}}),
        )
        for name in names
    ]


def _wanted(connection: Connection, systems: Sequence[str], companies: Sequence[str]) -> set[str]:
    known = {one["name"] for one in connection.items("/systems")} if companies or not systems else set()
    if not systems and not companies:
        return known
    return {*systems, *(name for name in known if name.startswith(tuple(f"{one}." for one in companies)))}


def _streams(connection: Connection, system: str) -> Iterator[Stream]:
    query: dict[str, Any] = {"range": _SHORTEST}
    while True:
        page = connection.json(Request("GET", f"/systems/{quoted(system)}/analytics", query))
        for one in page["datastreams"]:
            yield Stream(
                iot_id=one["id"],
                name=one["name"],
                thing=one["thing"],
                system=one["system"],
                unit=one["unit"],
                unit_code=one["unit_code"],
                observed_property=one["observed_property"],
            )
        if not page["next_page_token"]:
            return
        query["page_token"] = page["next_page_token"]
