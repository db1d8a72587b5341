"""Three companies in one SensorThings service, and everybody who may or may not ask it something."""

import base64
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import httpx2

from sensorthings.model.entities import ENTITY_TYPES, EntityType, Relation
from tests.certificates import TestAuthority
from tests.integration.sensorthings.samples import Json, datastream, location

ADMIN_TOKEN: Final = "admin-" + "a" * 40
OM: Final = "http://www.opengis.net/def/observationType/OGC-OM/2.0"
ALPHA, BETA, GAMMA = "aa.alpha.work.One", "bb.beta.work.Two", "cc.gamma.work.Three"
SYSTEMS: Final = (ALPHA, BETA, GAMMA)
DELTA: Final = "dd.delta.work.Four"
SINCE: Final = "2026-01-02T00:00:00Z"
COMMON: Final = "common"

# Who asks, and whose entities each of them sees: `shared` stands for what a contract shares with gamma,
# `described` for what one shares with delta without its Observations, `since` with those from some time on.
SIGHTS: Final[dict[str, tuple[str, ...]]] = {
    "alpha client": (ALPHA, COMMON),
    "alpha reader": (ALPHA, COMMON),
    "alpha certificate": (ALPHA, COMMON),
    "admin as alpha": (ALPHA, COMMON),
    "beta user": (BETA, COMMON),
    "gamma consumer": (GAMMA, COMMON, "shared"),
    "delta consumer": (COMMON, "described", "since"),
    "nobody's client": (COMMON,),
    "admin": (*SYSTEMS, COMMON),
}
REFUSED: Final = (
    "stranger",
    "wrong token",
    "expired token",
    "revoked token",
    "foreign certificate",
    "basic password",
)
WRITERS: Final[dict[str, tuple[str, ...]]] = {
    "alpha client": (ALPHA,),
    "alpha certificate": (ALPHA,),
    "admin as alpha": (ALPHA,),
    "beta user": (BETA,),
    "gamma consumer": (GAMMA,),
    "admin": (*SYSTEMS, COMMON),
}


def body_of(system: str, name: str = "Main") -> dict[str, Json]:
    """A Thing with everything that hangs on it; all names tell whose it is."""
    own = f"{system}.{name}"
    sensor = {
        "name": f"{own} sensor",
        "description": own,
        "encodingType": "text/html",
        "metadata": own,
    }
    seen = {"name": f"{own} property", "definition": f"http://x.org/{own}", "description": own}
    other = {"name": f"{own} other", "definition": f"http://x.org/{own}/o", "description": own}
    stream = datastream(f"{own}.Temperature", Sensor=sensor, ObservedProperty=seen)
    stream["Observations"] = [
        {
            "phenomenonTime": f"2026-01-0{day}T00:00:00Z",
            "resultTime": f"2026-01-0{day}T00:00:05Z",
            "result": 20 + day,
            "parameters": {"owner": own},
            "FeatureOfInterest": {
                "name": f"{own} feature {day}",
                "description": own,
                "encodingType": "application/geo+json",
                "feature": {"type": "Point", "coordinates": [10 + day, 47]},
            },
        }
        for day in (1, 2, 3)
    ]
    multi = {
        "name": f"{own}.Wind",
        "description": own,
        "observationType": f"{OM}/OM_ComplexObservation",
        "multiObservationDataTypes": [f"{OM}/OM_Measurement", f"{OM}/OM_Measurement"],
        "unitOfMeasurements": [{"name": "m", "symbol": "m", "definition": None}] * 2,
        "Sensor": {**sensor, "name": f"{own} multi sensor"},
        "ObservedProperties": [{**seen, "name": f"{own} multi property"}, other],
        "Observations": [
            {
                "phenomenonTime": "2026-02-01T00:00:00Z",
                "result": [1, 2],
                "FeatureOfInterest": {
                    "name": f"{own} multi feature",
                    "description": own,
                    "encodingType": "application/geo+json",
                    "feature": {"type": "Point", "coordinates": [1, 2]},
                },
            }
        ],
    }
    return {
        "name": own,
        "description": own,
        "properties": {"owner": own},
        "Locations": [location(f"{own} place")],
        "Datastreams": [stream],
        "MultiDatastreams": [multi],
    }


@dataclass
class World:
    """The service with its companies.

    Attributes:
        url: Its address.
        http: A client without any token.
        headers: By which each of those who ask is known.
        owned: Ids by owner and entity set.
        streams: Ids of Observations by Datastream.
    """

    url: str
    http: httpx2.Client
    authority: TestAuthority
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    owned: dict[str, dict[str, set[int]]] = field(default_factory=dict)
    streams: dict[int, set[int]] = field(default_factory=dict)
    _ties: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)

    def ask(
        self, who: str, method: str, path: str, body: Json = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        """Send a request; paths are below the version."""
        url = path if path.startswith("http") else f"{self.url}/v1.1/{path}"
        all_headers = self.headers[who] | (headers or {})
        return self.http.request(method, url, json=body, headers=all_headers)

    def read(self, who: str, path: str) -> Json:
        answer = self.ask(who, "GET", path)
        assert answer.status_code == 200, f"{who} {path}: {answer.text}"
        return answer.json()

    def all_ids(self, who: str, path: str, expression: str = "") -> list[int]:
        """The ids of a set, however many pages it has."""
        joint = "&" if "?" in path else "?"
        condition = f"&$filter={quote(expression)}" if expression else ""
        link: str | None = f"{path}{joint}$select=id&$top=4{condition}"
        found: list[int] = []
        while link:
            page = self.read(who, link)
            found += [one["@iot.id"] for one in page["value"]]
            link = page.get("@iot.nextLink")
        return found

    def visible(self, who: str, entity: EntityType) -> set[int]:
        """The ids that this one may see."""
        owners = SIGHTS[who]
        return set().union(*(self.owned[owner].get(entity.set_name, set()) for owner in owners))

    def writable(self, who: str, entity: EntityType) -> set[int]:
        """The ids that this one may change."""
        owners = WRITERS.get(who, ())
        return set().union(*(self.owned[owner].get(entity.set_name, set()) for owner in owners))

    def tied(self, entity: EntityType, relation: Relation, identifier: int) -> list[int]:
        """Ids at the other end of a relation, as an admin sees them; they do not change."""
        key = (entity.name, relation.name, identifier)
        if key not in self._ties:
            path = f"{entity.set_name}({identifier})/{relation.name}"
            answer = self.ask("admin", "GET", f"{path}?$select=id" if relation.is_to_many else path)
            found = answer.json() if answer.status_code == 200 else {"value": []}
            self._ties[key] = [
                one["@iot.id"]
                for one in (found["value"] if relation.is_to_many else [found])
                if "@iot.id" in one
            ]
        return self._ties[key]

    def everything(self, entity: EntityType) -> set[int]:
        """All ids of a type."""
        return set().union(*(self.owned[owner].get(entity.set_name, set()) for owner in (*SYSTEMS, COMMON)))

    def administer(self, method: str, path: str, body: Json = None, who: str = "admin") -> httpx2.Response:
        """Send a request to the administration."""
        return self.http.request(method, f"{self.url}/access/v1/{path}", json=body, headers=self.headers[who])

    def principal(self, name: str, *, home: str | None = None, grants: dict[str, bool] | None = None) -> None:
        """Register somebody; grants tell for each system whether it may be written."""
        body = {
            "home": home,
            "grants": [{"system": one, "write": write} for one, write in (grants or {}).items()],
        }
        answer = self.administer("PUT", f"principals/{quote(name)}", body)
        assert answer.status_code in (200, 201), answer.text

    def token(self, name: str, **more: Json) -> dict[str, Json]:
        """Make a token; the answer has its number, too."""
        answer = self.administer("POST", f"principals/{quote(name)}/tokens", more or None)
        assert answer.status_code == 201, answer.text
        document: dict[str, Json] = answer.json()
        return document

    def populate(self) -> None:
        """Make the companies, those who ask, and the contract."""
        self.headers["admin"] = bearer(ADMIN_TOKEN)
        for system in (*SYSTEMS, DELTA):
            self.principal(f"{system}.client", home=system, grants={system: True})
        self.principal("reader@alpha.example", grants={ALPHA: False})
        self.principal("user@beta.example", home=BETA, grants={BETA: True})
        self.principal("nobody")
        self._make_headers()
        self.owned = {owner: {} for owner in (*SYSTEMS, COMMON)}
        for system, who in ((ALPHA, "alpha client"), (BETA, "beta user"), (GAMMA, "gamma consumer")):
            self._make(system, who, body_of(system))
            self._make(system, who, body_of(system, "Second"))
        common = {"name": "Kelvin", "definition": "http://x.org/K", "description": "temperature"}
        answer = self.ask("admin", "POST", "ObservedProperties", common)
        assert answer.status_code == 201, answer.text
        self.owned[COMMON] = {"ObservedProperties": {answer.json()["@iot.id"]}}
        first, other = min(self.owned[ALPHA]["Datastreams"]), min(self.owned[BETA]["Datastreams"])
        self.share("contract-1", first, GAMMA)
        self.share("contract-described", first, DELTA, observations=False)
        self.share("contract-since", other, DELTA, since=SINCE)
        later = f"phenomenonTime ge {SINCE}"
        self.owned["shared"] = self._led_to(
            first, self.all_ids("admin", f"Datastreams({first})/Observations")
        )
        self.owned["described"] = self._led_to(first, [])
        self.owned["since"] = self._led_to(
            other, self.all_ids("admin", f"Datastreams({other})/Observations", later)
        )
        for owner in SYSTEMS:
            for stream in self.owned[owner]["Datastreams"]:
                self.streams[stream] = set(self.all_ids("admin", f"Datastreams({stream})/Observations"))

    def _make(self, system: str, who: str, body: Json) -> None:
        before = {one.set_name: set(self.all_ids("admin", one.set_name)) for one in ENTITY_TYPES}
        answer = self.ask(who, "POST", "Things", body)
        assert answer.status_code == 201, answer.text
        for one in ENTITY_TYPES:
            fresh = set(self.all_ids("admin", one.set_name)) - before[one.set_name]
            assert fresh, f"{system} has no {one.set_name}"
            self.owned[system][one.set_name] = self.owned[system].get(one.set_name, set()) | fresh

    def share(self, contract: str, stream: int, system: str, **limits: Json) -> None:
        """Make a contract share one Datastream with a system."""
        body = {"system": system, "datastreams": [stream], **limits}
        answer = self.administer("PUT", f"shares/{contract}", body)
        assert answer.status_code == 200, answer.text

    def _led_to(self, stream: int, observations: list[int]) -> dict[str, set[int]]:
        """What a Datastream leads to, together with some of its Observations and their features."""
        at = f"Datastreams({stream})"
        thing = self.read("admin", f"{at}/Thing")["@iot.id"]
        return {
            "Datastreams": {stream},
            "Things": {thing},
            "Locations": set(self.all_ids("admin", f"Things({thing})/Locations")),
            "Sensors": {self.read("admin", f"{at}/Sensor")["@iot.id"]},
            "ObservedProperties": {self.read("admin", f"{at}/ObservedProperty")["@iot.id"]},
            "Observations": set(observations),
            "FeaturesOfInterest": {
                self.read("admin", f"Observations({one})/FeatureOfInterest")["@iot.id"]
                for one in observations
            },
        }

    def _make_headers(self) -> None:
        alpha = f"{ALPHA}.client"
        gone = self.token(alpha)
        assert self.administer("DELETE", f"principals/{alpha}/tokens/{gone['id']}").status_code == 204
        expired = self.token(alpha, expires="2020-01-01T00:00:00Z")
        self.headers |= {
            "alpha client": bearer(self.token(alpha)["token"]),
            "alpha reader": bearer(self.token("reader@alpha.example")["token"]),
            "alpha certificate": client_cert(self.authority.sign(alpha).der),
            "admin as alpha": bearer(ADMIN_TOKEN) | {"DTWIN-Act-As": alpha},
            "beta user": bearer(self.token("user@beta.example")["token"]),
            "gamma consumer": bearer(self.token(f"{GAMMA}.client")["token"]),
            "delta consumer": bearer(self.token(f"{DELTA}.client")["token"]),
            "nobody's client": bearer(self.token("nobody")["token"]),
            "stranger": {},
            "wrong token": bearer("dtwin_" + "x" * 43),
            "expired token": bearer(expired["token"]),
            "revoked token": bearer(gone["token"]),
            "foreign certificate": client_cert(TestAuthority("Other CA").sign(alpha).der),
            "basic password": {"Authorization": "Basic YWxwaGE6YWxwaGE="},
        }


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def client_cert(der: bytes) -> dict[str, str]:
    """The header by which a proxy passes a certificate on."""
    return {"Client-Cert": f":{base64.b64encode(der).decode()}:"}


def new_body(entity: EntityType, links: dict[str, int], name: str) -> dict[str, Json]:
    """A body for a POST, with links to the entities that the type needs."""
    properties: dict[str, Json] = {
        "Thing": {"description": "d"},
        "Location": {"description": "d", "encodingType": "application/geo+json", "location": {}},
        "HistoricalLocation": {"time": "2026-03-01T00:00:00Z"},
        "Datastream": {
            "description": "d",
            "unitOfMeasurement": {"name": None, "symbol": None, "definition": None},
            "observationType": f"{OM}/OM_Measurement",
        },
        "MultiDatastream": {
            "description": "d",
            "observationType": f"{OM}/OM_ComplexObservation",
            "multiObservationDataTypes": [f"{OM}/OM_Measurement"],
            "unitOfMeasurements": [{"name": None, "symbol": None, "definition": None}],
        },
        "Sensor": {"description": "d", "encodingType": "text/html", "metadata": "m"},
        "ObservedProperty": {"description": "d", "definition": "http://x.org"},
        "Observation": {"result": 1, "phenomenonTime": "2026-03-01T00:00:00Z"},
        "FeatureOfInterest": {"description": "d", "encodingType": "application/geo+json", "feature": {}},
    }
    named = {"name": name} if entity.find_property("name") else {}
    body = named | dict(properties[entity.name])
    for relation in entity.relations:
        if relation.name in links:
            link = {"@iot.id": links[relation.name]}
            body[relation.name] = [link] if relation.is_to_many else link
    return body
