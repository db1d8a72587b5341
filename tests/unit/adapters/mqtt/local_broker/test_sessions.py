"""Who receives a message; what new rules do; what survives in the file."""

from pathlib import Path

import pytest

from adapters.mqtt.local_broker import sessions
from adapters.mqtt.local_broker.packets import Wanted
from adapters.mqtt.local_broker.queues import Message, Outbox
from adapters.mqtt.local_broker.sessions import FOR_EVER, Session, Sessions
from adapters.mqtt.local_broker.store import Store, document_of
from adapters.mqtt.rules.access import Grant, Rules, Topics

ALL = Grant(Topics(("a/#",)), Topics(("a/#",)))
RULES = Rules({"one": ALL, "two": Grant(Topics(), Topics(("a/b",)))})


def begun(*sessions: Session) -> Sessions:
    found = Sessions()
    found.apply(RULES)
    for session in sessions:
        found.add(session)
    return found


def session(subject: str, client: str = "c", expiry_s: int = FOR_EVER) -> Session:
    return Session(client, subject, expiry_s, Outbox(10, 10))


def test_a_message_comes_once_with_the_highest_quality_of_all_filters() -> None:
    one = session("one")
    known = begun(one)
    assert known.subscribe(one, Wanted("a/#", 0, is_local_left_out=True))
    assert known.subscribe(one, Wanted("a/+", 1))
    (receiver,) = known.receivers("a/b")
    assert (receiver.session, receiver.qos, receiver.is_local_left_out) == (one, 1, False)


def test_rules_count_for_subscriptions_and_for_each_message() -> None:
    one, two = session("one"), session("two")
    known = begun(one, two)
    assert not known.subscribe(two, Wanted("a/+", 1))
    assert known.subscribe(two, Wanted("a/b", 1))
    assert known.subscribe(one, Wanted("a/b", 1))
    assert {found.session.subject for found in known.receivers("a/b")} == {"one", "two"}
    gone = known.apply(Rules({"two": RULES.grants["two"]}))
    assert [found.subject for found in gone] == ["one"]
    assert [found.session.subject for found in known.receivers("a/b")] == ["two"]
    known.apply(Rules({"two": Grant(Topics(), Topics(("a/c",)))}))
    assert two.subscriptions == {}


def test_the_same_client_identifier_of_two_certificates_is_two_sessions() -> None:
    one, two = session("one", "same"), session("two", "same")
    known = begun(one, two)
    assert known.find("one", "same") is one
    assert known.find("two", "same") is two


def test_a_retained_value_comes_to_who_may_have_it() -> None:
    one, two = session("one"), session("two")
    known = begun(one, two)
    for topic in ("a/b", "a/c"):
        known.retain(Message(topic, b"1", 1))
    assert [found.topic for found in known.last_values(one, Wanted("a/#", 1))] == ["a/b", "a/c"]
    assert [found.topic for found in known.last_values(two, Wanted("a/#", 1))] == ["a/b"]
    known.retain(Message("a/b", b"", 1))
    assert list(known.retained) == ["a/c"]


def test_a_session_ends_when_its_time_is_over() -> None:
    one, two = session("one", expiry_s=10), session("two")
    one.left_at = two.left_at = 100.0
    known = begun(one, two)
    known.expire(109)
    assert known.find("one", "c") is one
    known.expire(111)
    assert known.find("one", "c") is None
    assert known.find("two", "c") is two, "for ever"


def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    one = session("one")
    known = begun(one)
    known.subscribe(one, Wanted("a/#", 1, keeps_flag=True))
    for number in range(3):
        one.outbox.put(Message("a/b", b"\xff%d" % number, 1, properties=b"\x26"))
    one.outbox.take()
    one.unreleased.add(7)
    known.retain(Message("a/b", b"\x00", 1))
    store = Store(tmp_path)
    store.save(document_of(known))
    again = Sessions()
    Store(tmp_path).load(again, 10, 10)
    again.apply(RULES)
    found = again.find("one", "c")
    assert found is not None
    assert found.subscriptions == one.subscriptions
    assert list(found.outbox.inflight) == [1]
    assert list(found.outbox.waiting) == list(one.outbox.waiting)
    assert found.unreleased == {7}
    assert again.retained == known.retained


def test_a_broken_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "sessions.json").write_text("{")
    known = Sessions()
    Store(tmp_path).load(known, 10, 10)
    assert list(known) == []
    assert (tmp_path / "sessions.broken").read_text() == "{"


def test_one_certificate_cannot_fill_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_SESSIONS", "MOST_SUBSCRIPTIONS", "MOST_RETAINED"):
        monkeypatch.setattr(sessions, name, 2)
    monkeypatch.setattr(sessions, "MOST_RETAINED_BYTES", 10)
    one = session("one", "a")
    known = begun(one, session("one", "b"))
    assert [known.has_room("one", name) for name in ("a", "b", "c")] == [True, True, False]
    assert known.has_room("two", "c")
    assert [known.subscribe(one, Wanted(f"a/{name}", 1)) for name in "xyzx"] == [True, True, False, True]
    kept = Message("a/b/1", b"12345", 1)
    for topic, payload, is_room in (
        ("a/b/1", b"x" * 11, False),
        ("a/b/1", b"12345", True),
        ("a/b/2", b"123456", False),
        ("a/b/2", b"12345", True),
        ("a/b/3", b"", True),
        ("a/b/3", b"1", False),
        ("a/b/1", b"54321", True),
    ):
        message = kept._replace(topic=topic, payload=payload)
        assert known.may_retain(one, message) is is_room, topic
        if is_room:
            known.retain(message)
    known.retain(kept._replace(payload=b""))
    assert known.may_retain(one, Message("a/b/3", b"1", 1)), "another one has gone"


def test_the_bridge_may_retain_whatever_it_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_RETAINED_BYTES", 10)
    bridge = session("bridge")
    known = Sessions()
    known.apply(Rules({"bridge": Grant(ALL.publish, ALL.subscribe, is_bridge=True)}))
    known.add(bridge)
    assert known.may_retain(bridge, Message("a/b/1", b"x" * 11, 1))
