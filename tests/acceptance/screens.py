"""The screens of the site: every address that answers with a page, filled with objects of the demo.

What lives here: which routes are pages and how they are reached. What does not: what a page must fulfil
(``inspection``) and the visit (``test_every_screen``). A page that is added needs a line here.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from fastapi import FastAPI
from playwright.sync_api import APIRequestContext

from tests.acceptance.calls import ask, tell
from tests.integration.platform_ui.route_table import served_routes

CAR1: Final = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
CAR2: Final = "cz.icecars.iot4cps-wp5-CarFleet.Car2"
TEMPERATURE: Final = f"{CAR1}.Main.Air Temperature"
APP: Final = "car1analytics"
CLIENT: Final = "car_1"

_SYSTEM: Final = f"/systems/{CAR1}"
_APP: Final = f"{_SYSTEM}/apps/{APP}"
_CLIENT: Final = f"{_SYSTEM}/clients/{CLIENT}"
_COMPANY: Final = "/companies/cz.icecars"

OPEN: Final = {"/forgot": "/forgot", "/login": "/login", "/look": "/look", "/signup": "/signup"}
"""Pages that are shown to whoever is not logged in."""

PAGES: Final = {
    "/account": "/account",
    "/account/confirm": "/account/confirm?next=/account/delete",
    "/account/delete": "/account/delete",
    "/account/name": "/account/name",
    "/account/password": "/account/password",
    "/account/second-factor": "/account/second-factor",
    "/account/tokens": "/account/tokens",
    "/api": "/api?q=contracts",
    "/apps": "/apps",
    "/apps/new": "/apps/new",
    "/catalogue": "/catalogue",
    "/catalogue/new": f"/catalogue/new?system={CAR1}",
    "/catalogue/{offer}": "/catalogue/{offer}",
    "/catalogue/{offer}/edit": "/catalogue/{offer}/edit",
    "/catalogue/{offer}/request": "/catalogue/{offer}/request",
    "/certificates": "/certificates",
    "/clients": "/clients",
    "/companies": "/companies",
    "/companies/new": "/companies/new",
    "/companies/{name}": _COMPANY,
    "/companies/{name}/audit": f"{_COMPANY}/audit",
    "/companies/{name}/delete": f"{_COMPANY}/delete",
    "/companies/{name}/limits": f"{_COMPANY}/limits",
    "/companies/{name}/members": f"{_COMPANY}/members",
    "/contracts": "/contracts",
    "/contracts/new": "/contracts/new",
    "/contracts/{contract}": "/contracts/{contract}",
    "/contracts/{contract}/change": "/contracts/{contract}/change",
    "/dashboard": "/dashboard",
    "/explain": f"/explain?who={CAR2}&action=receive&resource={CAR1}.Main.Acceleration",
    "/explain/readers": f"/explain/readers?resource={CAR1}",
    "/explorer": "/explorer?at=Things({thing})",
    "/explorer/map": "/explorer/map",
    "/explorer/query": "/explorer/query?path=Datastreams",
    "/find": "/find?q=car",
    "/find/keys": "/find/keys",
    "/lineage": f"/lineage?focus={CAR1}",
    "/live": f"/live?system={CAR1}",
    "/live/{system}/records/{position}": f"/live/{CAR1}/records/{{position}}",
    "/platform": "/platform",
    "/start": "/start",
    "/systems": "/systems",
    "/systems/new": "/systems/new",
    "/systems/{name}": _SYSTEM,
    "/systems/{name}/analytics": f"{_SYSTEM}/analytics",
    "/systems/{name}/audit": f"{_SYSTEM}/audit",
    "/systems/{name}/datastreams/new": f"{_SYSTEM}/datastreams/new?thing=Main",
    "/systems/{name}/datastreams/{datastream}": f"{_SYSTEM}/datastreams/{{datastream}}",
    "/systems/{name}/datastreams/{datastream}/delete": f"{_SYSTEM}/datastreams/{{datastream}}/delete",
    "/systems/{name}/datastreams/{datastream}/edit": f"{_SYSTEM}/datastreams/{{datastream}}/edit",
    "/systems/{name}/delete": f"{_SYSTEM}/delete",
    "/systems/{name}/instances": f"{_SYSTEM}/instances",
    "/systems/{name}/members": f"{_SYSTEM}/members",
    "/systems/{name}/things": f"{_SYSTEM}/things",
    "/systems/{name}/things/new": f"{_SYSTEM}/things/new",
    "/systems/{name}/things/{thing}/delete": f"{_SYSTEM}/things/{{thing}}/delete",
    "/systems/{name}/things/{thing}/edit": f"{_SYSTEM}/things/{{thing}}/edit",
    "/systems/{system}/apps/new": f"{_SYSTEM}/apps/new",
    "/systems/{system}/apps/{name}": _APP,
    "/systems/{system}/apps/{name}/delete": f"{_APP}/delete",
    "/systems/{system}/apps/{name}/log": f"{_APP}/log",
    "/systems/{system}/apps/{name}/versions": f"{_APP}/versions",
    "/systems/{system}/clients/new": f"{_SYSTEM}/clients/new",
    "/systems/{system}/clients/{name}": _CLIENT,
    "/systems/{system}/clients/{name}/connection": f"{_CLIENT}/connection",
    "/systems/{system}/clients/{name}/credentials": f"{_CLIENT}/credentials",
    "/systems/{system}/clients/{name}/delete": f"{_CLIENT}/delete",
    "/systems/{system}/clients/{name}/logs": f"{_CLIENT}/logs",
    "/systems/{system}/clients/{name}/settings": f"{_CLIENT}/settings",
    "/systems/{system}/clients/{name}/tokens": f"{_CLIENT}/tokens",
    "/systems/{system}/logs": f"{_SYSTEM}/logs",
}
"""Pages of somebody who is logged in, by route; what stands in braces is looked up."""

FURTHER: Final = {
    "/dashboard?view=table": 200,
    "/explain": 200,
    "/lineage": 200,
    "/live": 200,
    f"/live?system={CAR1}&filter=result+%3C+%3C+4": 422,
    "/nothing-here": 404,
    f"{_CLIENT}?way=curl": 200,
    f"{_SYSTEM}/analytics?range=7d": 200,
    f"{_SYSTEM}/datastreams/{{datastream}}?range=7d": 200,
    f"{_SYSTEM}?show=apps": 200,
    f"{_SYSTEM}?show=clients": 200,
    f"{_SYSTEM}?show=contracts": 200,
}
"""Pages as they look otherwise, and pages of errors, with the status of their answer."""

NO_PAGE: Final = re.compile(
    r"^/$|^/health/|^/metrics$|^/version$"  # an address that leads on; operation
    r"|^/api/v1/|\.(pem|csv|json|jsonl)$|/odcs\.\{kind\}$|/download$"  # data to keep
    r"|^/explorer/data/"  # SensorThings, passed through
    r"|/export$"
    r"|/(tail|events)$|/(log|logs)/live$"  # server-sent events
    r"|/examples$|/state$|/standing$|/preview$|/check$|/principals$"  # part of a page
    r"|^/contracts/datastreams$"  # part of a page, too
    r"|^/welcome$"  # only while nobody has an account
    r"|^/login/(code|oidc.*)$|^/account/second-factor/app$"  # a step that begins elsewhere
    r"|^/(reset|invitations)/\{token\}$"  # by a link that was sent
)
"""Routes that answer with no page of their own, or with one that has no address to go to."""


def routes_without_a_line(app: FastAPI) -> list[str]:
    """Return the routes that nobody has said about whether they are pages."""
    paths = {route.path for route in served_routes(app) if route.method == "GET"}
    return sorted(path for path in paths - PAGES.keys() - OPEN.keys() if not NO_PAGE.search(path))


@dataclass
class DemoObjects:
    """What the demo has under names that are made anew each time.

    Attributes:
        request: somebody who is logged in.
    """

    request: APIRequestContext

    def address(self, pattern: str) -> str:
        """Return an address with the names filled in."""
        return re.sub(r"\{(\w+)\}", lambda match: self._names[match[1]], pattern)

    @cached_property
    def _names(self) -> dict[str, str]:
        contracts = ask(self.request, "/api/v1/contracts")["items"]
        data = "/explorer/data/v1.1"
        (thing,) = ask(self.request, f"{data}/Things?$filter=name eq '{CAR1}.Main'&$expand=Datastreams")[
            "value"
        ]
        temperature = next(one for one in thing["Datastreams"] if one["name"] == TEMPERATURE)
        position = re.search(r"/records/(\d+:\d+)", self.request.get(f"/live?system={CAR1}").text())
        offer = {"system": CAR1, "title": "How warm the road is", "datastreams": [TEMPERATURE]}
        return {
            "contract": next(one["id"] for one in contracts if one["is_active"]),
            "thing": str(thing["@iot.id"]),
            "datastream": str(temperature["@iot.id"]),
            "position": position[1] if position else "",
            "offer": tell(self.request, "/api/v1/offers", offer)["id"],
        }
