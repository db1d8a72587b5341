"""Reading the assets of one system from the SensorThings service, in the name of one person.

What lives here: which questions are asked, and what of the answers counts: only what belongs to the system by
its name. What does not: what the answers look like to people (``views``), series (``series``), changing
(``writing``). A page of Things with their Datastreams and last values is one request, however many they are.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPMethod, HTTPStatus
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from client.metadata.wire import DATASTREAM_EXPANSION, DATASTREAMS, NEXT_LINK, JsonObject
from platform_ui.assets.views import DatastreamView, ThingView, Value, datastream_view, thing_view, value_of
from platform_ui.db import now
from platform_ui.errors import ConflictError, MetadataError, NotFoundError
from platform_ui.metadata.gateway import VERSION, Answer, Gateway

LAST_VALUES: Final = 6
"""How many of a Datastream's newest Observations tell its usual interval."""
TABLE_VALUES: Final = 50
PAGE_SIZE: Final = 1000
_DATASTREAMS_OF_A_THING: Final = 200
_NEWEST: Final = "Observations($top={};$orderby=phenomenonTime desc;$select=phenomenonTime,result)"


@dataclass(frozen=True, slots=True)
class ThingPage:
    """Things of a system, by name.

    Attributes:
        things: Those of this page.
        following: The name after which the next page begins; empty on the last one.
    """

    things: list[ThingView]
    following: str


class AssetReader:
    """Asks for the assets of one system.

    Args:
        gateway: The way to the service.
        person: Who asks: the name of their principal.
        system: Full name of the system; the caller has made sure that the person may see it.
    """

    def __init__(self, gateway: Gateway, person: str, system: str) -> None:
        self.gateway = gateway
        self.person = person
        self.system = system

    async def things(self, *, q: str = "", after: str = "", most: int = 50) -> ThingPage:
        """Return a page of Things with their Datastreams and newest values.

        Args:
            q: Part of a name of a Thing or of one of its Datastreams; empty for all.
            after: Name after which the page begins; empty for the first one.
            most: Largest number of Things.

        Raises:
            MetadataError: The service does not answer.
        """
        conditions = [self._own()]
        if q:
            part = literal(q.lower())
            within = f"Datastreams/any(d:substringof({part},tolower(d/name)))"
            conditions.append(f"(substringof({part},tolower(name)) or {within})")
        if after:
            conditions.append(f"name gt {literal(after)}")
        expansion = _NEWEST.format(LAST_VALUES)
        found = await self._documents(
            "Things",
            {
                "$filter": " and ".join(conditions),
                "$orderby": "name",
                "$top": str(most + 1),
                "$expand": "Locations($select=name,location),"
                f"Datastreams($orderby=name;$top={_DATASTREAMS_OF_A_THING};"
                f"$expand=ObservedProperty($select=name),{expansion})",
            },
        )
        present = now()
        things = [thing_view(one, self.system, present) for one in found]
        return ThingPage(things[:most], things[most - 1].name if len(things) > most else "")

    async def thing(self, number: str) -> ThingView:
        """Return one Thing with its Datastreams.

        Raises:
            NotFoundError: There is none of this id in the system.
            MetadataError: The service does not answer.
        """
        document = await self.document(
            f"Things({key(number)})", {"$expand": f"Locations,Datastreams($orderby=name;$top={PAGE_SIZE})"}
        )
        return thing_view(self._belonging(document, number), self.system, now())

    async def datastream(self, name: str, *, values: int = TABLE_VALUES) -> DatastreamView:
        """Return one Datastream with its Thing and that one's place, Sensor, ObservedProperty, newest values.

        Args:
            name: Its id, its full name, or its name without the system's.
            values: How many of its newest values.

        Raises:
            NotFoundError: There is none in the system.
            MetadataError: The service does not answer.
        """
        expansion = f"Thing($expand=Locations),Sensor,ObservedProperty,{_NEWEST.format(values)}"
        if name.isdecimal():
            document = await self.document(f"{DATASTREAMS}({name})", {"$expand": expansion})
        else:
            full = name if name.startswith(f"{self.system}.") else f"{self.system}.{name}"
            condition = {"$filter": f"name eq {literal(full)}", "$top": "1", "$expand": expansion}
            found = await self._documents(DATASTREAMS, condition)
            document = found[0] if found else {}
        return datastream_view(self._belonging(document, name), self.system, now())

    async def everything(self, entities: str, expand: str = "") -> list[JsonObject]:
        """Return all entities of a set that belong to the system by name, however many pages that takes.

        Args:
            entities: Entity set, such as ``Sensors``.
            expand: What ``$expand`` asks for; empty for nothing.

        Raises:
            MetadataError: The service does not answer.
        """
        options = {"$filter": self._own(), "$orderby": "id", "$top": str(PAGE_SIZE)}
        if expand:
            options["$expand"] = expand
        return [one async for one in self._pages(entities, encoded(options))]

    async def datastreams(self) -> list[JsonObject]:
        """Return all Datastreams of the system with what they lead to.

        Raises:
            MetadataError: The service does not answer.
        """
        return await self.everything(DATASTREAMS, DATASTREAM_EXPANSION)

    async def values(self, iot_id: int | str, condition: str, most: int) -> list[Value]:
        """Return the newest Observations of a Datastream for which a condition holds, newest first.

        Raises:
            MetadataError: The service does not answer.
        """
        found = await self._documents(
            f"{DATASTREAMS}({key(iot_id)})/Observations",
            {
                "$filter": condition,
                "$orderby": "phenomenonTime desc",
                "$select": "phenomenonTime,result",
                "$top": str(most),
            },
        )
        return [value_of(one) for one in found]

    async def all_values(self, iot_id: int | str, condition: str) -> list[JsonObject]:
        """Return the Observations of a Datastream for which a condition holds, oldest first, of all pages.

        Raises:
            MetadataError: The service does not answer.
        """
        options = {
            "$filter": condition,
            "$orderby": "phenomenonTime",
            "$select": "phenomenonTime,result",
            "$top": str(PAGE_SIZE),
        }
        path = f"{DATASTREAMS}({key(iot_id)})/Observations"
        return [one async for one in self._pages(path, encoded(options))]

    async def all_documents(self, path: str, options: Mapping[str, str]) -> list[JsonObject]:
        """Return everything that an answer lists, however many pages that takes.

        Raises:
            MetadataError: The service does not answer.
        """
        return [one async for one in self._pages(path, encoded(options))]

    async def count(self, path: str, condition: str = "") -> int:
        """Return how many entities a set holds.

        Raises:
            MetadataError: The service does not answer.
        """
        options = {"$count": "true", "$top": "0"} | ({"$filter": condition} if condition else {})
        count = (await self.document(path, options)).get("@iot.count")
        return count if isinstance(count, int) else 0

    async def document(self, path: str, options: Mapping[str, str]) -> JsonObject:
        """Return an answer of the service.

        Raises:
            NotFoundError: There is nothing.
            MetadataError: The service does not answer, or refuses.
        """
        return read_answer(await self.gateway.read(path, encoded(options), self.person))

    async def write(self, method: HTTPMethod, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Change something.

        Raises:
            NotFoundError: There is nothing.
            ConflictError: The service refuses.
            MetadataError: The service does not answer.
        """
        answer = await self.gateway.write(method, path, self.person, body)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise refusal(answer)
        return answer

    async def _documents(self, path: str, options: Mapping[str, str]) -> list[JsonObject]:
        found = (await self.document(path, options)).get("value")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    async def _pages(self, path: str, query: str) -> AsyncIterator[JsonObject]:
        following: tuple[str, str] | None = (path, query)
        while following is not None:
            page = read_answer(await self.gateway.read(*following, self.person))
            members = page.get("value")
            for one in members if isinstance(members, list) else []:
                if isinstance(one, dict):
                    yield one
            following = _following(page.get(NEXT_LINK))

    def _own(self) -> str:
        return f"startswith(name,{literal(f'{self.system}.')})"

    def _belonging(self, document: JsonObject, asked: str) -> JsonObject:
        """Return an entity if it belongs to the system by its name."""
        name = document.get("name")
        if not isinstance(name, str) or not name.startswith(f"{self.system}."):
            raise NotFoundError(f"{self.system} has nothing registered as {asked}.", code="asset.not_found")
        return document


def literal(text: str) -> str:
    """Write a text as OData does (OData 4.01 Part 2, clause 5.1.1.14.1)."""
    return "'" + text.replace("'", "''") + "'"


def key(iot_id: int | str) -> str:
    """Write an id as it stands in an address; digits are those of a number."""
    text = str(iot_id)
    return text if text.lstrip("-").isdecimal() else literal(text)


def encoded(options: Mapping[str, str]) -> str:
    """Write query options as a query."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())


def read_answer(answer: Answer) -> JsonObject:
    """Return the JSON object of an answer.

    Raises:
        NotFoundError: The service says that there is nothing.
        ConflictError: The service refuses.
        MetadataError: The service fails, or answers with something else than an object.
    """
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise refusal(answer)
    try:
        document = json.loads(answer.body)
    except ValueError as error:
        raise MetadataError("The SensorThings service answers with something that is not JSON.") from error
    if not isinstance(document, dict):
        raise MetadataError("The SensorThings service answers with something else than an object.")
    return document


def refusal(answer: Answer) -> NotFoundError | ConflictError | MetadataError:
    """Make an error of a refusal of the service (RFC 9457)."""
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    detail, hint = str(said.get("detail") or ""), str(said.get("hint") or "")
    if answer.status == HTTPStatus.NOT_FOUND:
        return NotFoundError(detail or "The SensorThings service has no such entity.", code="asset.not_found")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return MetadataError(detail or f"The SensorThings service answers {answer.status}.", hint=hint)
    return ConflictError(
        f"The SensorThings service refuses: {detail or answer.status}", code="asset.refused", hint=hint
    )


def _following(link: object) -> tuple[str, str] | None:
    """Return path and query of a link to the next page, below the version."""
    if not isinstance(link, str):
        return None
    parts = urlsplit(link)
    _, found, path = parts.path.partition(f"/{VERSION}/")
    return (unquote(path), parts.query) if found else None
