"""What is written down of an action, what goes to which log topic, and what stands in files."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from client.errors import ConfigurationError
from platform_ui.audit import exports
from platform_ui.audit.keys import key_id, make_key, public_text, read_key, read_public_key
from platform_ui.audit.models import AuditEntry
from platform_ui.audit.origin import OriginMiddleware, current_origin
from platform_ui.audit.publisher import records_of, systems_of
from platform_ui.audit.service import HIDDEN, PLATFORM, Platform, record
from platform_ui.errors import AuditBrokenError

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CAR, WEATHER = "cz.icecars.Fleet.Car1", "is.iceland.Weather.Stations"


class Session:
    def __init__(self) -> None:
        self.added: list[AuditEntry] = []

    def add(self, entry: AuditEntry) -> None:
        self.added.append(entry)


class Person:
    id = uuid.uuid4()
    email = "client.sue@example.com"


def written(actor: Any = PLATFORM, **more: Any) -> AuditEntry:  # noqa: ANN401 - as record
    session = Session()
    record(cast("AsyncSession", session), actor, "system.changed", CAR, **more)
    (entry,) = session.added
    return entry


def entry(action: str = "client.created", name: str = CAR, **detail: str) -> AuditEntry:
    return AuditEntry(
        at=NOON, user_email="sue@x.org", actor_kind="person", action=action, object_name=name, detail=detail,
        position=7, hash="a" * 64,
    )  # fmt: skip


def test_secrets_are_never_written_down() -> None:
    found = written(
        before={"password": "old", "client_secret": "s", "token_hash": "h", "api_token": None},
        after={"token_name": "laptop", "deep": {"passphrase": "p", "n": 1}, "recovery_codes": ["1"]},
    )
    assert found.before == {
        "password": HIDDEN,
        "client_secret": HIDDEN,
        "token_hash": HIDDEN,
        "api_token": None,
    }
    assert found.after == {
        "token_name": "laptop",
        "deep": {"passphrase": HIDDEN, "n": 1},
        "recovery_codes": HIDDEN,
    }


def test_values_are_such_that_every_writer_of_json_writes_them_alike() -> None:
    found = written(
        after={"f": 1.5, "t": NOON, "s": {"b", "a"}, "u": uuid.UUID(int=1), "nul": "a\0b", "y": True}
    )
    assert found.after == {
        "f": "1.5",
        "t": "2026-11-20T12:00:00+00:00",
        "s": ["a", "b"],
        "u": "00000000-0000-0000-0000-000000000001",
        "nul": "ab",
        "y": True,
    }


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        (Person(), "person"),
        (PLATFORM, "platform"),
        (Platform(email="client.cz.icecars.Fleet.Car1.car_1"), "client"),
        (Platform(email="app.cz.icecars.Fleet.Car1.hot"), "app"),
        (Platform(email="service.recorder"), "service"),
    ],
)
def test_an_actor_is_a_person_a_device_or_the_platform(actor: object, kind: str) -> None:
    assert written(actor).actor_kind == kind


async def test_every_request_has_a_number_of_its_own() -> None:
    seen: list[Any] = []
    sent: list[Any] = []

    async def app(_scope: object, _receive: object, send: Any) -> None:  # noqa: ANN401 - ASGI
        seen.append(written())
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        sent.append(message)

    scope = {"type": "http", "client": ("192.0.2.7", 4000), "headers": [(b"x-request-id", b"mine")]}
    for _ in range(2):
        await OriginMiddleware(app)(scope, cast("Any", None), send)
    assert [one.address for one in seen] == ["192.0.2.7"] * 2
    numbers = [dict(one["headers"])[b"x-request-id"].decode() for one in sent]
    assert numbers == [str(one.request_id) for one in seen]
    assert len(set(numbers)) == 2
    assert current_origin().request_id is None
    assert written().address is None


@pytest.mark.parametrize(
    ("made", "systems"),
    [
        (entry(), [CAR]),
        (entry(name=f"{CAR}.car_1"), [CAR]),
        (entry(name="cz.icecars"), []),
        (entry(name="sue@x.org"), []),
        (entry(name="sue@mail.cz.icecars.Fleet.Car1"), []),
        (entry("stream.deployed", f"{CAR}.hot", target=WEATHER), [CAR]),
        (entry("contract.signed", "c-abc", provider=WEATHER, consumer=CAR), [WEATHER, CAR]),
        (entry("contract.drafted", "c-abc", provider=WEATHER, consumer=CAR), []),
    ],
)
def test_an_entry_goes_to_the_systems_that_it_is_about(made: AuditEntry, systems: list[str]) -> None:
    assert systems_of(made) == systems
    assert [one.topic for one in records_of(made)] == [f"{name}.log" for name in systems]


def test_a_record_has_the_form_of_the_clients_log_records() -> None:
    (made,) = records_of(entry(email="bob@x.org"))
    assert b'"client":"platform"' in made.value
    assert b'"type":"log"' in made.value
    assert b'"message":"client created: cz.icecars.Fleet.Car1 (by sue@x.org)"' in made.value
    identifier = uuid.UUID(made.record_id)
    assert (identifier.version, identifier.variant) == (7, uuid.RFC_4122)
    assert identifier.int >> 80 == int(NOON.timestamp() * 1000)
    assert records_of(entry(email="bob@x.org")) == [made]


def test_records_of_one_entry_in_two_topics_differ_in_their_ids() -> None:
    first, second = records_of(entry("contract.signed", "c-abc", provider=WEATHER, consumer=CAR))
    assert first.record_id != second.record_id


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert exports._cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "no json\n", "[]\n", "5\n", '{"position": 1}\n'])
def test_a_file_that_is_no_export_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text(text)
    if not text:
        assert exports.check_file(file, None)[0].entries == 0
        return
    with pytest.raises(AuditBrokenError, match=r"line 1 of x\.jsonl"):
        exports.check_file(file, None)


def test_a_key_can_be_read_back_and_is_nobody_elses(tmp_path: Path) -> None:
    file, public = tmp_path / "key.pem", tmp_path / "key.pub"
    made = make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert key_id(read_key(file).public_key()) == key_id(made.public_key())
    public.write_text(public_text(made.public_key()))
    assert key_id(read_public_key(public)) == key_id(read_public_key(file))
    with pytest.raises(ConfigurationError):
        make_key(file)
    with pytest.raises(ConfigurationError, match="make-audit-key"):
        read_key(public)
    with pytest.raises(ConfigurationError):
        read_key(tmp_path / "none")
