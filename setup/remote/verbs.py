"""Which command uses which operation of the API, and which members of the answer it shows.

What lives here: the table, as data. What does not: how a command is made of a row (``commands``), what has
more than one request (``agreements``, ``log_in``, ``topics``, ``code``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Verb:
    """A command for one operation.

    Attributes:
        words: What is typed after `dtwin`.
        operation: Its `operationId`.
        columns: Members that a table shows, in order; those of nested objects with a dot.
        example: What could be typed after the words.
        key: Members that `-o name` prints; the first column when empty.
        places: Members of the body that are typed without an option, in order.
        whole: Kind of a dotted name (`company` or `system`) that is typed in the place of its parts.
        asks: What is asked before it is done; names in braces. Empty when it can be undone.
        done: What is said afterwards; names in braces.
        always_tries: Whether it only says what would be done.
        pending: Members of the answer that count what would change: exit code 3 unless all are 0.
        filters: Parameters that the description of the API does not list.
        older: Parameter by which a list goes on, where that is not `page_token`.
        rows: Member of an object that is shown as a table.
        notes: Member whose texts are said below that table.
        is_whole: Whether JSON and YAML have the whole object, not only those rows.
    """

    words: str
    operation: str
    columns: str = ""
    example: str = ""
    key: str = ""
    places: str = ""
    whole: str = ""
    asks: str = ""
    done: str = ""
    always_tries: bool = False
    pending: str = ""
    filters: str = ""
    older: str = "page_token"
    rows: str = ""
    notes: str = ""
    is_whole: bool = False


_C, _S = "cz.icecars", "cz.icecars.Fleet.Car1"
_COMPANY: Final = "name description requires_second_factor created_at"
_SYSTEM: Final = "name company state description created_at"
_CLIENT: Final = "system name description created_at"
_APP: Final = "source_system name target_system state version input_rate output_rate lag"
_CONTRACT: Final = "id title provider consumer state version to_sign"
_OFFER: Final = "id system title state visibility"
_O: Final = "o-2mzq7tg5kx4h6vwa"
_RECORD: Final = "position time thing datastream result unit"
_CERTIFICATE: Final = "name kind state not_after issued_by"
_MEMBER: Final = "email full_name role"
_INVITATION: Final = "id email role expires_at"
_REPORT: Final = "time client level type state message"
_ENTRY: Final = "at actor action object"
_ACCOUNT: Final = "email first_name last_name"
_CHOSEN: Final = "object person action since until"
_THING: Final = "id name description"
_STREAM: Final = "name thing observed_property unit last.result last.phenomenon_time"

COMPANIES: Final = (
    Verb("company list", "list_companies", _COMPANY, "-o json"),
    Verb("company show", "show_company", _COMPANY, _C),
    Verb(
        "company create",
        "create_company",
        _COMPANY,
        f"{_C} --description 'Cars on ice'",
        whole="company",
        done="{name} is there; you are its owner.",
    ),
    Verb("company edit", "change_company", _COMPANY, f"{_C} --description 'Cars on ice'"),
    Verb(
        "company delete",
        "delete_company",
        example=f"{_C} --yes",
        asks="Delete {name}?",
        done="{name} is deleted.",
    ),
    Verb("company limits show", "show_company_limits", "max_apps apps memory_mb cpus own", _C),
    Verb(
        "company limits set", "set_company_limits", "max_apps apps memory_mb cpus own", f"{_C} --max-apps 20"
    ),
    Verb("company member list", "list_company_members", _MEMBER, _C),
    Verb("company member show", "show_company_member", _MEMBER, f"{_C} sue@example.com"),
    Verb(
        "company member add",
        "add_company_member",
        "email role state link",
        f"{_C} sue@example.com --role admin",
        places="email",
    ),
    Verb("company member edit", "change_company_member", _MEMBER, f"{_C} sue@example.com --role owner"),
    Verb(
        "company member remove",
        "remove_company_member",
        example=f"{_C} sue@example.com --yes",
        asks="Take {email} out of {name} and its systems?",
        done="{email} has no part in {name} any more.",
    ),
    Verb("company invitation list", "list_company_invitations", _INVITATION, _C),
    Verb(
        "company invitation withdraw",
        "withdraw_company_invitation",
        example=f"{_C} 0192f0c0-7e6c-7c3a-8f63-6f3b1e0a9b11",
        done="The invitation counts no longer.",
    ),
)

SYSTEMS: Final = (
    Verb("system list", "list_systems", _SYSTEM, "-o name"),
    Verb("system show", "show_system", f"{_SYSTEM} topics", _S),
    Verb(
        "system create",
        "create_system",
        _SYSTEM,
        f"{_S} --description 'The red one'",
        whole="system",
        done="{name} is there with its topics.",
    ),
    Verb("system edit", "change_system", _SYSTEM, f"{_S} --description 'The blue one'"),
    Verb(
        "system delete",
        "delete_system",
        example=f"{_S} --yes",
        asks="Delete {name} with its topics and all records in them?",
        done="{name} is deleted.",
    ),
    Verb("system asyncapi", "describe_system_topics", example=f"{_S} --to asyncapi.json"),
    Verb("system publish-schemas", "publish_system_schemas", "subjects changed", _S),
    Verb("system logs", "list_reports", _REPORT, f"{_S} --level error"),
    Verb("system member list", "list_system_members", _MEMBER, _S),
    Verb("system member show", "show_system_member", _MEMBER, f"{_S} sue@example.com"),
    Verb(
        "system member add",
        "add_system_member",
        "email role state link",
        f"{_S} sue@example.com --role viewer",
        places="email",
    ),
    Verb("system member edit", "change_system_member", _MEMBER, f"{_S} sue@example.com --role agent"),
    Verb(
        "system member remove",
        "remove_system_member",
        example=f"{_S} sue@example.com --yes",
        asks="Take {email} out of {name}?",
        done="{email} has no part in {name} any more.",
    ),
    Verb("system invitation list", "list_system_invitations", _INVITATION, _S),
    Verb(
        "system invitation withdraw",
        "withdraw_system_invitation",
        example=f"{_S} 0192f0c0-7e6c-7c3a-8f63-6f3b1e0a9b11",
        done="The invitation counts no longer.",
    ),
)

CLIENTS: Final = (
    Verb("client list", "list_clients", _CLIENT, "--q Fleet", key="system name"),
    Verb("client show", "show_client", "", f"{_S} car_1", key="system name"),
    Verb(
        "client create",
        "create_client",
        _CLIENT,
        f"{_S} car_1",
        key="system name",
        places="name",
        done="{name} is there. Next: dtwin client archive {system} {name} --to {name}.tar.gz",
    ),
    Verb(
        "client edit", "change_client", _CLIENT, f"{_S} car_1 --description 'In the boot'", key="system name"
    ),
    Verb(
        "client delete",
        "delete_client",
        example=f"{_S} car_1 --yes",
        asks="Delete {name} of {system}, so that its certificates count no longer?",
        done="{name} of {system} is deleted.",
    ),
    Verb(
        "client state",
        "show_client_state",
        "standing last_heard since datastreams certificates",
        f"{_S} car_1",
    ),
    Verb("client connection", "show_client_connection", "record checks recognised_by", f"{_S} car_1"),
    Verb("client logs", "list_client_reports", _REPORT, f"{_S} car_1 --since 2026-01-31T08:00:00Z"),
    Verb(
        "client credentials",
        "show_client_credentials",
        "principal epoch blocked_at certificates",
        f"{_S} car_1",
    ),
    Verb("client archive", "issue_client_archive", example=f"{_S} car_1 --to car_1.tar.gz"),
    Verb(
        "client certificate",
        "sign_client_request",
        "not_after renew_after certificate ca",
        f"{_S} car_1 --request @car_1.csr",
    ),
    Verb("client enrolment-token", "create_enrolment_token", "token expires_at", f"{_S} car_1"),
    Verb(
        "client block",
        "block_client",
        example=f"{_S} car_1 --yes",
        asks="Keep {name} of {system} away from Kafka until it is unblocked?",
        done="{name} of {system} is blocked.",
    ),
    Verb(
        "client unblock",
        "unblock_client",
        example=f"{_S} car_1",
        done="{name} of {system} may connect again.",
    ),
    Verb(
        "client revoke",
        "revoke_client_credentials",
        example=f"{_S} car_1 --reason lost --yes",
        asks="Revoke all certificates of {name} of {system}, for good?",
        done="The certificates of {name} of {system} count no longer.",
    ),
    Verb("client token list", "list_client_tokens", "id label created expires revoked", f"{_S} car_1"),
    Verb("client token create", "create_client_token", "token", f"{_S} car_1"),
    Verb(
        "client token revoke",
        "revoke_client_token",
        example=f"{_S} car_1 7 --yes",
        asks="Revoke token {number} of {name}?",
        done="Token {number} of {name} counts no longer.",
    ),
)

APPS: Final = (
    Verb("app list", "list_apps", _APP, "--state failed", key="source_system name"),
    Verb("app show", "show_app", "", f"{_S} share", key="source_system name"),
    Verb(
        "app create",
        "create_app",
        _APP,
        f"{_S} share --target-system at.datahouse.Lab.Roads --statement @share.sql",
        key="source_system name",
        places="name",
        done="{name} is saved. Next: dtwin app deploy {system} {name}",
    ),
    Verb(
        "app edit",
        "create_app_version",
        _APP,
        f"{_S} share --statement @share.sql --note 'Only frost'",
        key="source_system name",
    ),
    Verb(
        "app delete",
        "delete_app",
        example=f"{_S} share --yes",
        asks="Stop and delete {name} of {system}?",
        done="{name} of {system} is deleted.",
    ),
    Verb(
        "app deploy", "deploy_app", _APP, f"{_S} share", key="source_system name", done="{name} is starting."
    ),
    Verb(
        "app stop",
        "stop_app",
        _APP,
        f"{_S} share --yes",
        key="source_system name",
        asks="Stop {name} of {system}, so that nothing flows through it?",
        done="{name} is stopping.",
    ),
    Verb(
        "app restart", "restart_app", _APP, f"{_S} share", key="source_system name", done="{name} restarts."
    ),
    Verb(
        "app rollback",
        "roll_back_app",
        _APP,
        f"{_S} share 2 --yes",
        key="source_system name",
        places="version",
        asks="Let {name} of {system} have version {version} again?",
        done="{name} has the statement of version {version}.",
    ),
    Verb("app versions", "list_app_versions", "number is_deployed created_by created_at note", f"{_S} share"),
    Verb("app logs", "read_app_log", "at level text", f"{_S} share --level warning"),
    Verb("app figures", "list_app_figures", "at input_rate output_rate lag lag_s", f"{_S} share"),
    Verb(
        "app check",
        "check_app_statement",
        "understood problem target_fault diagnostics rights",
        f"{_S} --statement @share.sql",
    ),
    Verb(
        "app try",
        "preview_app_statement",
        "read matched dropped failed missing outputs",
        f"{_S} --statement @share.sql --last 500",
    ),
    Verb("app words", "list_app_words", "", f"{_S} -o json"),
)

CONTRACTS: Final = (
    Verb("contract list", "list_contracts", _CONTRACT, "--state waiting"),
    Verb("contract show", "show_contract", "", "c-2mzq7tg5kx4h6vwa"),
    Verb(
        "contract decline",
        "decline_contract",
        _CONTRACT,
        "c-2mzq7tg5kx4h6vwa --reason 'Too much' --yes",
        asks="Decline what waits for signatures in {contract}?",
        done="What waited is declined.",
    ),
    Verb(
        "contract revoke",
        "revoke_contract",
        _CONTRACT,
        "c-2mzq7tg5kx4h6vwa --reason 'The project is over' --yes",
        asks="Revoke {contract}, so that its records stop at once?",
        done="{contract} has ended.",
    ),
    Verb(
        "contract diff",
        "compare_contract_versions",
        "field removed added",
        "c-2mzq7tg5kx4h6vwa",
        rows="changes",
    ),
    Verb("contract history", "list_contract_events", "at who what version note", "c-2mzq7tg5kx4h6vwa"),
    Verb("contract preview", "preview_contract", "read leaving held_back records", "c-2mzq7tg5kx4h6vwa"),
    Verb(
        "contract check",
        "check_terms",
        "field message line column",
        "--provider is.iceland.Weather.Stations --predicate 'result < 4'",
        rows="faults",
    ),
    Verb(
        "contract try",
        "preview_terms",
        "read leaving held_back records",
        "--provider is.iceland.Weather.Stations --predicate 'result < 4'",
    ),
    Verb("contract export", "export_contract", example="c-2mzq7tg5kx4h6vwa --format yaml --to contract.yaml"),
)

OFFERS: Final = (
    Verb("offer list", "list_offers", _OFFER, "--observed 'Air Temperature'"),
    Verb("offer show", "show_offer", "", _O),
    Verb("offer preview", "preview_offer", "read leaving held_back records", _O),
    Verb(
        "offer create",
        "create_offer",
        _OFFER,
        f"{_S} --title 'Temperatures of the road'",
        places="system",
        done="The draft is saved. Next: dtwin offer publish",
    ),
    Verb("offer edit", "change_offer", _OFFER, f"{_O} --title 'Temperatures of all roads'"),
    Verb("offer publish", "publish_offer", _OFFER, _O, done="Others find it now."),
    Verb("offer withdraw", "withdraw_offer", _OFFER, _O, done="Others find it no more."),
    Verb(
        "offer request",
        "request_offer",
        _CONTRACT,
        f"{_O} --consumer {_S} --purpose 'To know about ice'",
        done="It is written. Next: dtwin contract sign",
    ),
    Verb(
        "offer delete",
        "delete_offer",
        example=f"{_O} --yes",
        asks="Delete {offer}?",
        done="{offer} is deleted.",
    ),
)

ASSETS: Final = (
    Verb("thing list", "list_things", _THING, _S),
    Verb("thing show", "show_thing", "", f"{_S} 7"),
    Verb("thing create", "create_thing", "name", f"{_S} car_1 --description 'A car'", places="name"),
    Verb(
        "thing edit",
        "change_thing",
        example=f"{_S} 7 --description 'A red car'",
        done="Thing {thing} is changed.",
    ),
    Verb(
        "thing delete",
        "delete_thing",
        example=f"{_S} 7 --yes",
        asks="Delete Thing {thing} with its Datastreams and all their Observations?",
        done="Thing {thing} is deleted.",
    ),
    Verb("datastream show", "show_datastream", _STREAM, f"{_S} 12"),
    Verb(
        "datastream create",
        "create_datastream",
        "name",
        f"{_S} temperature --thing car_1 --sensor dht22 --observed-property 'Air Temperature' --unit Cel "
        "--description 'In the cabin'",
        places="name",
    ),
    Verb(
        "datastream edit",
        "change_datastream",
        example=f"{_S} 12 --sensor dht22 --observed-property 'Air Temperature' --description 'Outside'",
        done="Datastream {datastream} is changed.",
    ),
    Verb(
        "datastream delete",
        "delete_datastream",
        example=f"{_S} 12 --yes",
        asks="Delete Datastream {datastream} with all its Observations?",
        done="Datastream {datastream} is deleted.",
    ),
    Verb("datastream series", "show_series", "start end bucket_s points", f"{_S} 12 --range 24h -o json"),
    Verb(
        "system analytics",
        "show_analytics",
        "name count per_minute last.result numbers.mean numbers.min numbers.max unit",
        f"{_S} --range 24h",
        key="name",
        rows="datastreams",
    ),
    Verb("instances get", "show_instances", example=f"{_S} --to instances.json"),
    Verb(
        "instances diff",
        "apply_instances",
        "new changed same changes absent",
        f"{_S} instances.json",
        always_tries=True,
        pending="new changed",
    ),
    Verb("instances apply", "apply_instances", "new changed same", f"{_S} instances.json"),
)

OTHERS: Final = (
    Verb("topic read", "list_records", _RECORD, f"{_S} --filter 'result < 4' --from=-15m"),
    Verb("topic show", "show_record", "", f"{_S} 0:17"),
    Verb("topic export", "export_records", example=f"{_S} --form csv --to records.csv"),
    Verb(
        "lineage show",
        "show_lineage_graph",
        "start end truths rate_per_s",
        f"--focus {_S}",
        key="start end",
        rows="edges",
        notes="differences",
        is_whole=True,
    ),
    Verb("lineage export", "show_openlineage", example="--to lineage.json"),
    Verb("certificate list", "list_certificates", _CERTIFICATE, "--q Fleet"),
    Verb("certificate services", "list_service_certificates", _CERTIFICATE),
    Verb("certificate calendar", "show_certificate_calendar", "begins number"),
    Verb(
        "platform health",
        "show_platform_health",
        "name level says hint",
        key="part",
        rows="parts",
        is_whole=True,
    ),
    Verb(
        "platform apply-access-rules",
        "apply_access_rules",
        "made removed",
        "--yes",
        asks="Bring the broker's access rules to what is registered?",
    ),
    Verb(
        "flows",
        "show_flows",
        "start end rate_per_s",
        f"--company {_C}",
        key="start end",
        rows="edges",
        notes="troubles",
        is_whole=True,
    ),
    Verb("search", "search", "kind title detail address", "car 1", key="title", places="q"),
    Verb("why ask", "explain", "answer because missing next", f"'see system' {_S}", places="action resource"),
    Verb("why readers", "explain_readers", "kind name because limits", _S, places="resource"),
    Verb("why principals", "explain_principals", "value label", "--q Fleet"),
    Verb(
        "audit company",
        "list_entries_of_company",
        _ENTRY,
        f"{_C} --limit 20",
        filters=_CHOSEN,
        older="before",
    ),
    Verb(
        "audit system",
        "list_entries_of_system",
        _ENTRY,
        f"{_S} --person sue@example.com --limit 20",
        filters=_CHOSEN,
        older="before",
    ),
    Verb(
        "audit export-company",
        "export_entries_of_company",
        example=f"{_C} --to audit.jsonl",
        filters=f"{_CHOSEN} form",
    ),
    Verb(
        "audit export-system",
        "export_entries_of_system",
        example=f"{_S} --form csv --to audit.csv",
        filters=f"{_CHOSEN} form",
    ),
    Verb("account show", "show_account", _ACCOUNT),
    Verb("account edit", "change_account", _ACCOUNT, "--last-name Miller"),
    Verb("token list", "list_tokens", "id name scope within expires_at last_used_at"),
    Verb(
        "token revoke",
        "revoke_token",
        example="0192f0c0-7e6c-7c3a-8f63-6f3b1e0a9b11 --yes",
        asks="Revoke this token, so that its program is logged out?",
        done="The token counts no longer.",
    ),
    Verb(
        "invitation accept",
        "accept_invitation",
        "name role",
        "--token @invitation.txt",
        done="You have a part in {name}.",
    ),
    Verb("authority", "show_authority", "fingerprint not_after certificate"),
)

VERBS: Final = (*COMPANIES, *SYSTEMS, *CLIENTS, *APPS, *CONTRACTS, *OFFERS, *ASSETS, *OTHERS)

ELSEWHERE: Final = {
    "create_tokens": "login",
    "refresh_tokens": "whoami",
    "revoke_tokens": "logout",
    "show_session": "whoami",
    "create_contract": "contract request",
    "change_contract": "contract edit",
    "sign_contract": "contract sign",
    "tail_records": "topic tail",
}
"""Operations of commands with more than one request, each with such a command."""

LEFT_OUT: Final = {
    "show_setup": "A fresh platform is set up on its page: its first person chooses a password there.",
    "set_platform_up": "A fresh platform is set up on its page: its first person chooses a password there.",
    "create_session": "A session is a browser's cookie; programs have tokens.",
    "delete_session": "A session is a browser's cookie; programs have tokens.",
    "enrol_client": "A device does it by itself: DigitalTwinClient with a one-time token.",
    "renew_certificate": "A device does it by itself, with the key of its present certificate.",
}
"""Operations without a command, each with the reason."""
