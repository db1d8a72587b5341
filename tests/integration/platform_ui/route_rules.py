"""Who may use each route of the site, as one rule a route.

What lives here: roles, rules, the table of routes. What does not: the objects and the requests
(``role_world``), the comparison (``test_route_matrix``). A route that is added needs a line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.integration.platform_ui.route_table import Served


class Role(StrEnum):
    """Who asks; all but the device and the visitor are logged in somehow."""

    VISITOR = "visitor"
    FOREIGN = "person of another company"
    OWNER = "owner of the company"
    ADMIN = "admin of the company"
    MEMBER = "member of the company"
    AGENT = "agent of the system"
    VIEWER = "viewer of the system"
    PARTNER = "agent of the other side of the contract"
    REMOVED = "session of a removed member"
    READING_TOKEN = "read-scoped token of the agent"
    WRITING_TOKEN = "write-scoped token of the agent"
    TOKEN_ELSEWHERE = "write-scoped token of the agent, for another system"
    DEVICE = "device with a client certificate"


class Outcome(StrEnum):
    """What an answer amounts to."""

    DONE = "let in"
    FORM = "a field of the form is refused"
    LOG_IN = "log in first"
    FORBIDDEN = "seen, but not allowed"
    HIDDEN = "not there"
    CONFLICT = "let in, but not as things are"
    BROKEN = "failed"


TOKENS = frozenset({Role.READING_TOKEN, Role.WRITING_TOKEN, Role.TOKEN_ELSEWHERE})
NOBODY = frozenset({Role.VISITOR, Role.DEVICE})
PEOPLE = frozenset(Role) - TOKENS - NOBODY


@dataclass(frozen=True)
class Rule:
    """Who may use a route.

    Attributes:
        name: what it is called in a message.
        allowed: people who are let in.
        seen: people who may know of the object, but are not let in.
        is_open: whether nobody is asked who they are.
        waits: people who are let in, but have to wait for others.
        asks: whether an open route looks at who it is all the same; a token is then held to its scope.
        by_program: whether it needs no token of our pages.
        by_browser: whether only a browser counts, no token.
        by_proof: whether only what is in the body counts.
        otherwise: what those get who may not know of the object.
        question: what `explain` is asked of the same rule, with the company or system in braces.
    """

    name: str
    allowed: frozenset[Role] = frozenset()
    seen: frozenset[Role] = frozenset()
    waits: frozenset[Role] = frozenset()
    is_open: bool = False
    by_program: bool = False
    asks: bool = False
    by_browser: bool = False
    by_proof: bool = False
    otherwise: Outcome = Outcome.HIDDEN
    question: str = ""

    def expected(self, role: Role, route: Served) -> Outcome:
        """Return what somebody must get from a route."""
        if self.by_proof:
            return Outcome.DONE if role is Role.DEVICE else Outcome.LOG_IN
        if role is Role.DEVICE and route.method not in {"GET", "HEAD"} and not self.by_program:
            return Outcome.FORBIDDEN  # a change comes from one of our pages, or with a token
        is_api = route.path.startswith("/api/v1/")
        if role in TOKENS and is_api and not self.by_browser and (self.asks or not self.is_open):
            return self._of_token(role, route)
        if self.is_open:
            return Outcome.FORBIDDEN if role in self.seen else Outcome.DONE
        return Outcome.LOG_IN if role in NOBODY | TOKENS else self._of_person(role)

    def _of_token(self, role: Role, route: Served) -> Outcome:
        if role is Role.TOKEN_ELSEWHERE or (role is Role.READING_TOKEN and route.method != "GET"):
            return Outcome.FORBIDDEN
        return Outcome.DONE if self.is_open else self._of_person(Role.AGENT)

    def _of_person(self, person: Role) -> Outcome:
        if person in self.allowed:
            return Outcome.DONE
        if person in self.waits:
            return Outcome.CONFLICT
        return Outcome.FORBIDDEN if person in self.seen else self.otherwise


def _roles(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


_COMPANY = _roles(Role.OWNER, Role.ADMIN, Role.MEMBER)
_MANAGERS = _roles(Role.OWNER, Role.ADMIN)
_SIDES = _roles(Role.AGENT, Role.PARTNER)

PUBLIC = Rule("PUBLIC", is_open=True)
PUBLIC_ASKING = Rule("PUBLIC_ASKING", is_open=True, asks=True)
PROGRAM = Rule("PROGRAM", is_open=True, by_program=True)  # the body proves who it is
LINK = Rule("LINK", is_open=True)  # whoever has the link
INVITED = Rule("INVITED", seen=PEOPLE)  # whoever logs in with the address of the invitation
LINK_OF_ANOTHER = Rule("LINK_OF_ANOTHER", seen=PEOPLE, is_open=True)  # whoever logs in with its address
SELF = Rule("SELF", PEOPLE)
BROWSER = Rule("BROWSER", PEOPLE, by_browser=True)
OPERATOR = Rule("OPERATOR", seen=PEOPLE)  # who runs the platform: none of these people
COMPANY_OPERATOR = Rule("COMPANY_OPERATOR", seen=_COMPANY)  # who runs the platform; members know of it
OWN = Rule("OWN", _roles(Role.AGENT))  # an object of the agent's own account
OWN_BROWSER = Rule("OWN_BROWSER", _roles(Role.AGENT), by_browser=True)
COMPANY_MEMBER = Rule("COMPANY_MEMBER", _COMPANY, question="see company {company}")
COMPANY_ADMIN = Rule("COMPANY_ADMIN", _MANAGERS, _roles(Role.MEMBER), question="administer company {company}")
COMPANY_OWNER = Rule(
    "COMPANY_OWNER",
    _roles(Role.OWNER),
    _roles(Role.ADMIN, Role.MEMBER),
    question="own company {company}",
)
ADMIN_IN_FORM = Rule(
    "ADMIN_IN_FORM", _MANAGERS, otherwise=Outcome.FORM, question="administer company {company}"
)
SYSTEM_READER = Rule("SYSTEM_READER", _roles(Role.AGENT, Role.VIEWER), question="see system {system}")
SYSTEM_AGENT = Rule(
    "SYSTEM_AGENT", _roles(Role.AGENT), _roles(Role.VIEWER), question="operate system {system}"
)
RECORDS_READER = Rule("RECORDS_READER", _SIDES | {Role.VIEWER})  # the other side by the contract
APP_READER = Rule("APP_READER", _SIDES | {Role.VIEWER}, question="see app {system}.share")
APP_INSIDE = Rule("APP_INSIDE", _roles(Role.AGENT, Role.VIEWER), _roles(Role.PARTNER))
APP_SOURCE = Rule(
    "APP_SOURCE", _roles(Role.AGENT), _roles(Role.VIEWER, Role.PARTNER), question="change app {system}.share"
)
APP_STARTER = Rule(
    "APP_STARTER",
    _roles(Role.AGENT),
    _roles(Role.VIEWER),
    waits=_roles(Role.PARTNER),  # the source's side starts what the target's side has not stopped
    question="deploy app {system}.share",
)
APP_SIDE = Rule("APP_SIDE", _SIDES, _roles(Role.VIEWER), question="stop app {system}.share")
CONTRACT_READER = Rule("CONTRACT_READER", _SIDES | {Role.VIEWER}, question="see contract {held}")
CONTRACT_SIDE = Rule("CONTRACT_SIDE", _SIDES, _roles(Role.VIEWER), question="change contract {held}")
CONTRACT_PROVIDER = Rule("CONTRACT_PROVIDER", _roles(Role.AGENT), _roles(Role.VIEWER, Role.PARTNER))
CONTRACT_SIGNER = Rule(
    "CONTRACT_SIGNER",
    _roles(Role.AGENT),
    _roles(Role.VIEWER, Role.PARTNER),
    question="sign contract {waiting}",
)
SIDE_IN_FORM = Rule("SIDE_IN_FORM", _SIDES, otherwise=Outcome.FORM)
OFFER_AGENT = Rule("OFFER_AGENT", _roles(Role.AGENT), PEOPLE - {Role.AGENT})
CONSUMER_IN_FORM = Rule("CONSUMER_IN_FORM", _roles(Role.PARTNER), otherwise=Outcome.FORM)
PROOF = Rule("PROOF", by_proof=True)


@dataclass(frozen=True)
class Case:
    """A route's rule, and what is sent to it so that nothing but the rule decides.

    Attributes:
        rule: who may.
        fields: fields of a form or members of a JSON object; values in braces are filled in.
        done: what those get who are let in, where it is not simply done.
    """

    rule: Rule
    fields: Mapping[str, object] = field(default_factory=dict)
    done: Outcome = Outcome.DONE

    def expected(self, role: Role, route: Served) -> Outcome:
        """Return what somebody must get from a route."""
        outcome = self.rule.expected(role, route)
        return self.done if outcome is Outcome.DONE else outcome


def _all(rule: Rule, *routes: str) -> dict[str, Case]:
    return {route: Case(rule) for route in routes}


_CSR = {"request": "{request}"}
_TERMS: dict[str, object] = {"purpose": "To know.", "version": 1}
_SIGNATURE: dict[str, object] = {"side": "provider", "version": 1}
_END: dict[str, object] = {"side": "provider", "reason": "over"}
_APP: dict[str, object] = {"name": "another", "target_system": "{neighbour}", "statement": "SELECT * FROM *;"}
_CONTRACT: dict[str, object] = {"provider": "{system}", "consumer": "{partner}", "purpose": "To know."}
_START: dict[str, object] = {
    "domain": "cz",
    "enterprise": "{unused}",
    "workcenter": "Lab",
    "station": "Device1",
    "client": "sensor_1",
}
_CLIENT = "/systems/{system}/clients/{name}"
_ONE_APP = "/systems/{system}/apps/{name}"

_SIGN_UP: dict[str, object] = {
    "first_name": "Nia",
    "last_name": "Test",
    "email": "{unused_email}",
    "password": "a long password",
    "confirm": "a long password",
}
_NEW_PASSWORD: dict[str, object] = {
    "password": "another long password",
    "confirm": "another long password",
}
_LOG_IN: dict[str, object] = {"email": "{agent_email}", "password": "a long password"}

OPEN_ROUTES = {
    **_all(
        PUBLIC,
        "DELETE /api/v1/session",
        "GET /api/v1/authority",
        "GET /api/v1/openapi.json",
        "HEAD /api/v1/openapi.json",
        "GET /ca.pem",
        "GET /forgot",
        "GET /health/live",
        "GET /health/ready",
        "GET /login/code",
        "GET /look",
        "GET /metrics",
        "GET /version",
        "POST /logout",
        # The first run is over: everything of the wizard leads home.
        "GET /welcome",
        "POST /welcome",
        "POST /welcome/code",
        "POST /welcome/demo",
        "GET /api/v1/setup",
    ),
    **_all(PUBLIC_ASKING, "GET /", "GET /api/v1/session", "GET /login", "GET /signup"),
    **_all(LINK, "GET /reset/{token}", "GET /invitations/{token}"),
    **{
        route: Case(PUBLIC, done=Outcome.HIDDEN)  # no other service for log-ins is configured here
        for route in (
            "GET /login/oidc",
            "GET /login/oidc/callback",
            "GET /login/oidc/leave",
            "GET /login/oidc/link",
            "POST /login/oidc/link",
        )
    },
    "POST /api/v1/credentials/enrolment": Case(PROOF, {"token": "{enrolment}", "request": "{request}"}),
    "POST /api/v1/credentials/renewal": Case(
        PROOF,
        {
            "certificate": "{certificate}",
            "request": "{request}",
            "time": "{time}",
            "signature": "{signature}",
        },
    ),
    "POST /api/v1/session": Case(PUBLIC, _LOG_IN),
    "POST /api/v1/setup": Case(PROGRAM, _SIGN_UP),
    "POST /api/v1/tokens": Case(PROGRAM, _LOG_IN),
    "POST /api/v1/tokens/refresh": Case(PROGRAM, {"refresh_token": "{refresh}"}),
    "POST /api/v1/tokens/revoke": Case(PROGRAM, {"token": "{refresh}"}),
    "POST /forgot": Case(PUBLIC, {"email": "{agent_email}"}),
    "POST /api/v1/invitations:accept": Case(INVITED, {"token": "{invitation_token}"}),
    "POST /invitations/{token}/accept": Case(LINK_OF_ANOTHER),
    "POST /look": Case(PUBLIC, {"theme": "dark", "zone": "UTC"}),
    "POST /login": Case(PUBLIC, _LOG_IN),
    "POST /login/code": Case(PUBLIC, {"code": "000000"}),
    "POST /reset/{token}": Case(LINK, _NEW_PASSWORD),
    "POST /signup": Case(PUBLIC, _SIGN_UP),
}
OWN_ROUTES = {
    **_all(
        SELF,
        "GET /api/v1/apps",
        "GET /api/v1/account",
        "GET /api/v1/clients",
        "GET /api/v1/companies",
        "GET /api/v1/contracts",
        "GET /api/v1/systems",
        "GET /api/v1/explain",
        "GET /api/v1/explain/principals",
        "GET /api/v1/flows",
        "GET /api/v1/lineage",
        "GET /api/v1/lineage/openlineage",
        "GET /api/v1/search",
        "GET /api/v1/tokens",
        "GET /account/tokens",
        "GET /api",
        "GET /apps",
        "GET /apps/new",
        "GET /clients",
        "GET /companies",
        "GET /companies/new",
        "GET /contracts",
        "GET /contracts/datastreams",
        "GET /contracts/new",
        "GET /dashboard",
        "GET /explain",
        "GET /explain/principals",
        "GET /explain/readers",
        "GET /api/v1/offers",
        "GET /api/v1/offers/{offer}",
        "GET /api/v1/offers/{offer}/preview",
        "GET /catalogue",
        "GET /catalogue/new",
        "GET /catalogue/{offer}",
        "GET /catalogue/{offer}/preview",
        "GET /catalogue/{offer}/request",
        "GET /explorer",
        "GET /start",
        "GET /find",
        "GET /live",
        "GET /lineage",
        "GET /find/keys",
        "GET /explorer/data/v1.1",
        "GET /explorer/data/v1.1/{path:path}",
        "GET /explorer/description.json",
        "GET /explorer/map",
        "GET /explorer/query",
        "GET /systems",
        "GET /systems/new",
        "GET /api/v1/certificates",
        "GET /api/v1/certificates/calendar",
        "GET /api/v1/platform",
        "GET /certificates",
        "GET /platform",
    ),
    **_all(
        OPERATOR,
        "GET /api/v1/certificates/services",
        "POST /api/v1/platform/access-rules:apply",
        "POST /platform/rules",
    ),
    **_all(
        BROWSER,
        "GET /account",
        "GET /account/confirm",
        "GET /account/delete",
        "GET /account/name",
        "GET /account/password",
        "GET /account/second-factor",
        "GET /account/second-factor/app",
        "POST /account/delete",
        "POST /account/second-factor",
        "POST /account/second-factor/codes",
        "POST /account/sessions/end-others",
    ),
    "POST /account/confirm": Case(BROWSER, {"password": "a long password"}),
    "POST /account/name": Case(BROWSER, {"first_name": "Another", "last_name": "Name"}),
    "PATCH /api/v1/account": Case(SELF, {"first_name": "Another"}),
    "POST /account/password": Case(
        BROWSER,
        {
            "old_password": "a long password",
            "password": "quite another password",
            "confirm": "quite another password",
        },
    ),
    "POST /account/second-factor/app": Case(BROWSER, {"code": "000000"}),
    "POST /account/second-factor/off": Case(BROWSER, {"password": "wrong", "code": "000000"}, Outcome.FORM),
    "POST /account/sessions/{session_id}/end": Case(OWN_BROWSER),
    "POST /account/tokens": Case(BROWSER, {"name": "a program"}),
    "POST /account/tokens/{token_id}/revoke": Case(OWN),
    "DELETE /api/v1/tokens/{token_id}": Case(OWN),
    "POST /api/v1/companies": Case(SELF, {"domain": "cz", "enterprise": "{unused}"}),
    "POST /start": Case(SELF, _START),
    "POST /companies/new": Case(SELF, {"domain": "cz", "enterprise": "{unused}"}),
}
COMPANY_ROUTES = {
    **_all(
        COMPANY_MEMBER,
        "GET /api/v1/companies/{name}",
        "GET /api/v1/companies/{name}/limits",
        "GET /api/v1/companies/{name}/members",
        "GET /api/v1/companies/{name}/members/{email}",
        "GET /companies/{name}",
        "GET /companies/{name}/limits",
        "GET /companies/{name}/members",
    ),
    "POST /companies/{name}/limits": Case(COMPANY_OPERATOR, {"max_apps": 3}),
    "PUT /api/v1/companies/{name}/limits": Case(COMPANY_OPERATOR, {"max_apps": 3}),
    **_all(
        COMPANY_ADMIN,
        "DELETE /api/v1/companies/{name}/invitations/{invitation}",
        "DELETE /api/v1/companies/{name}/members/{email}",
        "GET /api/v1/companies/{name}/audit",
        "GET /api/v1/companies/{name}/audit/export",
        "GET /api/v1/companies/{name}/invitations",
        "GET /companies/{name}/audit",
        "GET /companies/{name}/audit.csv",
        "GET /companies/{name}/audit.jsonl",
        "POST /companies/{name}/invitations/{invitation}/withdraw",
        "POST /companies/{name}/members/{email}/remove",
    ),
    **_all(
        COMPANY_OWNER,
        "DELETE /api/v1/companies/{name}",
        "GET /companies/{name}/delete",
        "POST /companies/{name}/delete",
    ),
    "PATCH /api/v1/companies/{name}": Case(COMPANY_ADMIN, {"description": "another one"}),
    "PATCH /api/v1/companies/{name}/members/{email}": Case(COMPANY_ADMIN, {"role": "admin"}),
    "POST /api/v1/companies/{name}/members": Case(
        COMPANY_ADMIN, {"email": "{stranger_email}", "role": "member"}
    ),
    "POST /companies/{name}/members": Case(COMPANY_ADMIN, {"email": "{stranger_email}", "role": "member"}),
    "POST /companies/{name}/members/{email}/role": Case(COMPANY_ADMIN, {"role": "admin"}),
    "POST /companies/{name}/second-factor": Case(COMPANY_OWNER, {"required": "on"}),
    "POST /api/v1/systems": Case(
        ADMIN_IN_FORM, {"company": "{company}", "workcenter": "Fleet", "station": "Car9"}
    ),
    "POST /systems/new": Case(
        ADMIN_IN_FORM, {"company": "{company}", "workcenter": "Fleet", "station": "Car9"}
    ),
}
SYSTEM_ROUTES = {
    **_all(
        SYSTEM_READER,
        "GET /api/v1/systems/{name}",
        "GET /api/v1/systems/{name}/asyncapi.json",
        "GET /api/v1/systems/{name}/members",
        "GET /api/v1/systems/{name}/members/{email}",
        "GET /systems/{name}",
        "GET /systems/{name}/members",
        "GET /systems/{name}/tail",
        f"GET /api/v1{_CLIENT}",
        f"GET /api/v1{_CLIENT}/connection",
        f"GET /api/v1{_CLIENT}/logs",
        f"GET /api/v1{_CLIENT}/state",
        "GET /api/v1/systems/{system}/logs",
        f"GET {_CLIENT}",
        f"GET {_CLIENT}/connection",
        f"GET {_CLIENT}/logs",
        f"GET {_CLIENT}/logs.jsonl",
        f"GET {_CLIENT}/standing",
        "GET /systems/{system}/logs",
        "GET /systems/{system}/logs.jsonl",
        "GET /systems/{system}/logs/live",
    ),
    **_all(
        RECORDS_READER,
        "GET /api/v1/systems/{system}/records",
        "GET /api/v1/systems/{system}/records/export",
        "GET /api/v1/systems/{system}/records/tail",
        "GET /api/v1/systems/{system}/records/{position}",
        "GET /live/{system}/check",
        "GET /live/{system}/events",
        "GET /live/{system}/export",
        "GET /live/{system}/records/{position}",
    ),
    **_all(
        SYSTEM_AGENT,
        "DELETE /api/v1/systems/{name}",
        "DELETE /api/v1/systems/{name}/invitations/{invitation}",
        "DELETE /api/v1/systems/{name}/members/{email}",
        "GET /api/v1/systems/{name}/audit",
        "GET /api/v1/systems/{name}/audit/export",
        "GET /api/v1/systems/{name}/invitations",
        "GET /systems/{name}/audit",
        "GET /systems/{name}/audit.csv",
        "GET /systems/{name}/audit.jsonl",
        "GET /systems/{name}/delete",
        "GET /systems/{system}/apps/new",
        "GET /systems/{system}/apps/new/examples",
        "GET /api/v1/systems/{system}/apps:words",
        "GET /systems/{system}/clients/new",
        "POST /systems/{name}/delete",
        "POST /systems/{name}/invitations/{invitation}/withdraw",
        "POST /systems/{name}/members/{email}/remove",
        f"DELETE /api/v1{_CLIENT}",
        f"DELETE /api/v1{_CLIENT}/credentials/block",
        f"DELETE /api/v1{_CLIENT}/tokens/{{number}}",
        f"GET /api/v1{_CLIENT}/credentials",
        f"GET /api/v1{_CLIENT}/tokens",
        f"GET {_CLIENT}/credentials",
        f"GET {_CLIENT}/delete",
        f"GET {_CLIENT}/settings",
        f"GET {_CLIENT}/tokens",
        f"POST /api/v1{_CLIENT}/credentials/archive",
        f"POST /api/v1{_CLIENT}/credentials/tokens",
        f"POST /api/v1{_CLIENT}/tokens",
        f"POST {_CLIENT}/credentials/archive",
        f"POST {_CLIENT}/credentials/block",
        f"POST {_CLIENT}/credentials/token",
        f"POST {_CLIENT}/credentials/unblock",
        f"POST {_CLIENT}/delete",
        f"POST {_CLIENT}/tokens",
        f"POST {_CLIENT}/tokens/{{number}}/revoke",
        f"PUT /api/v1{_CLIENT}/credentials/block",
    ),
    "POST /api/v1/systems/{name}/schemas:publish": Case(SYSTEM_AGENT),
    "PATCH /api/v1/systems/{name}": Case(SYSTEM_AGENT, {"description": "another one"}),
    "PATCH /api/v1/systems/{name}/members/{email}": Case(SYSTEM_AGENT, {"role": "agent"}),
    f"PATCH /api/v1{_CLIENT}": Case(SYSTEM_AGENT, {"description": "another one"}),
    "POST /api/v1/systems/{name}/members": Case(
        SYSTEM_AGENT, {"email": "{stranger_email}", "role": "viewer"}
    ),
    "POST /systems/{name}/members": Case(SYSTEM_AGENT, {"email": "{stranger_email}", "role": "viewer"}),
    "POST /systems/{name}/members/{email}/role": Case(SYSTEM_AGENT, {"role": "agent"}),
    "POST /api/v1/systems/{system}/clients": Case(SYSTEM_AGENT, {"name": "car_2"}),
    "POST /systems/{system}/clients/new": Case(SYSTEM_AGENT, {"name": "car_2"}),
    f"POST {_CLIENT}/settings": Case(SYSTEM_AGENT, {"description": "of the fleet"}),
    f"POST /api/v1{_CLIENT}/credentials/certificates": Case(SYSTEM_AGENT, _CSR),
    f"POST /api/v1{_CLIENT}/credentials/revocation": Case(SYSTEM_AGENT, {"reason": "lost"}),
    f"POST {_CLIENT}/credentials/request": Case(SYSTEM_AGENT, _CSR),
    f"POST {_CLIENT}/credentials/revoke": Case(SYSTEM_AGENT, {"reason": "lost"}),
    "POST /api/v1/systems/{system}/apps": Case(SYSTEM_AGENT, _APP),
    "POST /systems/{system}/apps/new": Case(SYSTEM_AGENT, _APP),
    "POST /systems/{system}/apps/check": Case(SYSTEM_AGENT, _APP),
    "POST /systems/{system}/apps/preview": Case(SYSTEM_AGENT, _APP),
    "POST /api/v1/systems/{system}/apps:check": Case(SYSTEM_AGENT, _APP),
    "POST /api/v1/systems/{system}/apps:preview": Case(SYSTEM_AGENT, _APP),
}
_THING: dict[str, object] = {"name": "Main", "description": "A car."}
_DATASTREAM: dict[str, object] = {
    "thing": "Main",
    "name": "Speed",
    "description": "How fast it is.",
    "sensor": "GPS",
    "observed_property": "Speed",
}
_INSTANCES: dict[str, object] = {"Things": {}, "Sensors": {}, "Datastreams": {}}
_INSTANCES_TEXT: dict[str, object] = {"text": '{{"Things": {{}}, "Sensors": {{}}, "Datastreams": {{}}}}'}
_ONE_THING = "/systems/{name}/things/{thing}"
_ONE_DATASTREAM = "/systems/{name}/datastreams/{datastream}"
ASSET_ROUTES = {
    **_all(
        SYSTEM_READER,
        "GET /api/v1/systems/{name}/analytics",
        "GET /api/v1/systems/{name}/instances",
        "GET /api/v1/systems/{name}/things",
        "GET /systems/{name}/analytics",
        "GET /systems/{name}/analytics/{table}.csv",
        "GET /systems/{name}/instances.json",
        "GET /systems/{name}/things",
        f"GET /api/v1{_ONE_DATASTREAM}",
        f"GET /api/v1{_ONE_DATASTREAM}/series",
        f"GET /api/v1{_ONE_THING}",
        f"GET {_ONE_DATASTREAM}",
        f"GET {_ONE_DATASTREAM}/observations.csv",
    ),
    **_all(
        SYSTEM_AGENT,
        "GET /systems/{name}/datastreams/new",
        "GET /systems/{name}/instances",
        "GET /systems/{name}/things/new",
        f"DELETE /api/v1{_ONE_DATASTREAM}",
        f"DELETE /api/v1{_ONE_THING}",
        f"GET {_ONE_DATASTREAM}/delete",
        f"GET {_ONE_DATASTREAM}/edit",
        f"GET {_ONE_THING}/delete",
        f"GET {_ONE_THING}/edit",
        f"POST {_ONE_DATASTREAM}/delete",
        f"POST {_ONE_THING}/delete",
    ),
    "POST /api/v1/systems/{name}/datastreams": Case(SYSTEM_AGENT, _DATASTREAM),
    "POST /api/v1/systems/{name}/instances": Case(SYSTEM_AGENT, _INSTANCES),
    "POST /api/v1/systems/{name}/things": Case(SYSTEM_AGENT, _THING),
    "POST /systems/{name}/datastreams/new": Case(SYSTEM_AGENT, _DATASTREAM),
    "POST /systems/{name}/instances": Case(SYSTEM_AGENT, _INSTANCES_TEXT),
    "POST /systems/{name}/instances/save": Case(SYSTEM_AGENT, _INSTANCES_TEXT),
    "POST /systems/{name}/things/new": Case(SYSTEM_AGENT, _THING),
    f"POST {_ONE_DATASTREAM}/edit": Case(SYSTEM_AGENT, _DATASTREAM),
    f"POST {_ONE_THING}/edit": Case(SYSTEM_AGENT, _THING),
    f"PUT /api/v1{_ONE_DATASTREAM}": Case(SYSTEM_AGENT, _DATASTREAM),
    f"PUT /api/v1{_ONE_THING}": Case(SYSTEM_AGENT, _THING),
}
APP_ROUTES = {
    **_all(
        APP_READER,
        f"GET /api/v1{_ONE_APP}",
        f"GET /api/v1{_ONE_APP}/figures",
        f"GET {_ONE_APP}",
        f"GET {_ONE_APP}/state",
    ),
    **_all(
        APP_SOURCE,
        f"DELETE /api/v1{_ONE_APP}",
        f"GET {_ONE_APP}/delete",
        f"POST {_ONE_APP}/delete",
        f"POST {_ONE_APP}/restart",
        f"POST /api/v1{_ONE_APP}:restart",
    ),
    **_all(
        APP_INSIDE,
        f"GET /api/v1{_ONE_APP}/log",
        f"GET /api/v1{_ONE_APP}/versions",
        f"GET {_ONE_APP}/log",
        f"GET {_ONE_APP}/log/download",
        f"GET {_ONE_APP}/log/live",
        f"GET {_ONE_APP}/versions",
    ),
    **_all(APP_STARTER, f"POST /api/v1{_ONE_APP}:deploy", f"POST {_ONE_APP}/deploy"),
    **_all(APP_SIDE, f"POST /api/v1{_ONE_APP}:stop", f"POST {_ONE_APP}/stop"),
    f"POST /api/v1{_ONE_APP}/versions": Case(APP_SOURCE, {"statement": "SELECT * FROM * WHERE result < 4;"}),
    f"POST /api/v1{_ONE_APP}:rollback": Case(APP_SOURCE, {"version": 1}),
    f"POST {_ONE_APP}/rollback": Case(APP_SOURCE, {"version": 1}),
    f"POST {_ONE_APP}/statement": Case(APP_SOURCE, {"statement": "SELECT * FROM * WHERE result < 4;"}),
}
CONTRACT_ROUTES = {
    **_all(
        CONTRACT_READER,
        "GET /api/v1/contracts/{contract}",
        "GET /api/v1/contracts/{contract}/odcs",
        "GET /contracts/{contract}",
        "GET /contracts/{contract}/odcs.{kind}",
        "GET /contracts/{contract}/preview",
        "GET /api/v1/contracts/{contract}/difference",
        "GET /api/v1/contracts/{contract}/events",
        "GET /api/v1/contracts/{contract}/preview",
    ),
    "GET /contracts/{contract}/change": Case(CONTRACT_SIDE),
    "POST /contracts/{contract}/change": Case(CONTRACT_SIDE, _TERMS),
    "POST /api/v1/contracts/{contract}/versions": Case(CONTRACT_SIDE, _TERMS),
    "POST /contracts/{contract}/sign": Case(CONTRACT_SIGNER, _SIGNATURE),
    "POST /api/v1/contracts/{contract}:sign": Case(CONTRACT_SIGNER, _SIGNATURE),
    "POST /contracts/{contract}/decline": Case(CONTRACT_PROVIDER, _END),
    "POST /api/v1/contracts/{contract}:decline": Case(CONTRACT_PROVIDER, _END),
    "POST /contracts/{contract}/revoke": Case(CONTRACT_PROVIDER, _END),
    "POST /api/v1/contracts/{contract}:revoke": Case(CONTRACT_PROVIDER, _END),
    "POST /contracts/new": Case(SIDE_IN_FORM, _CONTRACT),
    "POST /api/v1/contracts": Case(SIDE_IN_FORM, _CONTRACT),
    "POST /api/v1/contracts:check": Case(SELF, {"provider": "{system}", "predicate": "result < 4"}),
    "POST /api/v1/contracts:preview": Case(SYSTEM_READER, {"provider": "{system}"}),
    "POST /contracts/try": Case(SYSTEM_READER, {"provider": "{system}"}),
    "GET /api/v1/explain/readers": Case(SYSTEM_READER),
}
_OFFER: dict[str, object] = {"system": "{system}", "title": "Another"}
_REQUEST: dict[str, object] = {"consumer": "{partner}", "purpose": "To know."}
OFFER_ROUTES = {
    "POST /catalogue/new": Case(SYSTEM_AGENT, _OFFER),
    "POST /api/v1/offers": Case(SYSTEM_AGENT, _OFFER),
    "GET /catalogue/{offer}/edit": Case(OFFER_AGENT),
    "POST /catalogue/{offer}/edit": Case(OFFER_AGENT, {"title": "Another"}),
    "PUT /api/v1/offers/{offer}": Case(OFFER_AGENT, {"title": "Another"}),
    "POST /catalogue/{offer}/publish": Case(OFFER_AGENT, done=Outcome.CONFLICT),  # it is published
    "POST /api/v1/offers/{offer}:publish": Case(OFFER_AGENT, done=Outcome.CONFLICT),
    "POST /catalogue/{offer}/withdraw": Case(OFFER_AGENT),
    "POST /api/v1/offers/{offer}:withdraw": Case(OFFER_AGENT),
    "POST /catalogue/{offer}/delete": Case(OFFER_AGENT, done=Outcome.CONFLICT),
    "DELETE /api/v1/offers/{offer}": Case(OFFER_AGENT, done=Outcome.CONFLICT),
    "POST /catalogue/{offer}/request": Case(CONSUMER_IN_FORM, _REQUEST),
    "POST /api/v1/offers/{offer}:request": Case(CONSUMER_IN_FORM, _REQUEST),
}
TABLE = (
    OPEN_ROUTES
    | OWN_ROUTES
    | COMPANY_ROUTES
    | SYSTEM_ROUTES
    | ASSET_ROUTES
    | APP_ROUTES
    | CONTRACT_ROUTES
    | OFFER_ROUTES
)
