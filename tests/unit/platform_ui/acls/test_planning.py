"""Differences, their safe order, and what is not ours."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_ui.acls.entries import ALLOW, DENY, LITERAL, PREFIXED, READ, TOPIC, WRITE, Entry, deny_all
from platform_ui.acls.kafka_port import carry_out
from platform_ui.acls.planning import Plan, plan_changes
from platform_ui.errors import BrokerError
from tests.unit.platform_ui.acls.memory import FailingAcls, KilledError, MemoryAcls, may

A, B, OTHER = "User:client.a.bb.cc.dd.x", "User:app.a.bb.cc.dd.y", "User:kafka-connect"
SYSTEM = "a.bb.cc.dd"
TOPICS = (f"{SYSTEM}.int", f"{SYSTEM}.ext")
ENTRIES = [
    Entry(principal, TOPIC, name, LITERAL, operation, permission)
    for principal in (A, B)
    for name in (*TOPICS, "*")
    for operation in (READ, WRITE)
    for permission in (ALLOW, DENY)
]
CELLS = list(itertools.product((A, B), (READ, WRITE), TOPICS))
states = st.sets(st.sampled_from(ENTRIES))


def rights(entries: frozenset[Entry] | set[Entry]) -> set[tuple[str, str, str]]:
    return {(who, what, where) for who, what, where in CELLS if may(entries, who, what, TOPIC, where)}


def bring(wanted: set[Entry], port: MemoryAcls) -> Plan:
    present = port.describe()
    plan = plan_changes(wanted, present)
    carry_out(plan, present, port)
    return plan


@given(states, states)
def test_whenever_it_is_interrupted_nobody_has_more_than_before_or_after(
    before: set[Entry], wanted: set[Entry]
) -> None:
    port = MemoryAcls(before)
    bring(wanted, port)
    assert port.entries == wanted
    for moment in port.history:
        assert rights(moment) <= rights(before) | rights(wanted)
        # And what is to be taken away is gone before anything is given.
    gained = [bool(rights(moment) - rights(before)) for moment in port.history]
    lost = [bool(rights(moment) & (rights(before) - rights(wanted))) for moment in port.history]
    assert not any(has and still for has, still in zip(gained, lost, strict=True))


@given(states, states, st.integers(min_value=0, max_value=40))
def test_a_run_after_a_kill_ends_in_the_same_state(before: set[Entry], wanted: set[Entry], step: int) -> None:
    port = MemoryAcls(before, steps=step)
    try:
        bring(wanted, port)
    except KilledError:
        port = MemoryAcls(port.entries)
        bring(wanted, port)
    assert port.entries == wanted


def test_killed_at_every_single_change_the_next_run_ends_in_the_same_state() -> None:
    before = {*ENTRIES[:12], *deny_all(B)}
    wanted = {*ENTRIES[6:], *deny_all(A)}
    whole = MemoryAcls(before)
    bring(wanted, whole)
    number = len(whole.history) - 1
    assert number > 10
    for step in range(number):
        port = MemoryAcls(before, steps=step)
        with pytest.raises(KilledError):
            bring(wanted, port)
        again = MemoryAcls(port.entries)
        bring(wanted, again)
        assert again.entries == wanted
        assert bring(wanted, again).is_empty


def test_a_refusal_of_the_broker_ends_the_run_before_anything_is_granted() -> None:
    old, new = Entry(A, TOPIC, TOPICS[0], LITERAL, READ), Entry(A, TOPIC, TOPICS[1], LITERAL, READ)
    port = FailingAcls({old}, steps=0)
    with pytest.raises(BrokerError):
        bring({new}, port)
    assert port.entries == {old}


def test_nothing_to_do_makes_no_call() -> None:
    port = MemoryAcls(ENTRIES)
    assert bring(set(ENTRIES), port).is_empty
    assert port.calls == []


def test_who_loses_everything_costs_one_filter_and_keeps_refusals() -> None:
    refusals = set(deny_all(A))
    port = MemoryAcls([*refusals, *(entry for entry in ENTRIES if entry.permission == ALLOW)])
    bring(refusals, port)
    assert port.calls == [("delete_allowed", 2)]
    assert port.entries == refusals


def test_entries_of_others_are_never_touched() -> None:
    foreign = Entry(OTHER, TOPIC, TOPICS[0], LITERAL, READ)
    plan = plan_changes([], [foreign], [SYSTEM])
    assert plan.is_empty
    assert plan.foreign == (foreign,)


@pytest.mark.parametrize(
    ("name", "pattern", "concerns"),
    [
        (f"{SYSTEM}.int", LITERAL, True),
        (f"{SYSTEM}x.int", LITERAL, False),
        ("a.bb", PREFIXED, True),
        (f"{SYSTEM}.", PREFIXED, True),
        (f"{SYSTEM}.int.d", PREFIXED, True),
        (f"{SYSTEM}x", PREFIXED, False),
        ("z", PREFIXED, False),
        ("*", LITERAL, True),
        ("platform.outbox.state", LITERAL, True),
        ("plat", PREFIXED, True),
        ("orders", LITERAL, False),
    ],
)
def test_foreign_entries_on_what_is_ours_are_found(name: str, pattern: str, concerns: bool) -> None:
    systems = [SYSTEM, "a.bb.cc.d", "b.bb.cc.dd", "z-1.bb.cc.dd"]
    random.Random(name).shuffle(systems)
    if name == "z":
        systems.remove("z-1.bb.cc.dd")
    found = plan_changes([], [Entry(OTHER, TOPIC, name, pattern, READ)], systems).foreign
    assert bool(found) is concerns


def test_an_entry_that_lets_everybody_in_makes_the_rules_void() -> None:
    everybody = Entry("User:*", TOPIC, "*", LITERAL, READ)
    refusal = Entry("User:*", TOPIC, "a.bb", PREFIXED, WRITE, DENY)
    plan = plan_changes([], [everybody, refusal], [SYSTEM])
    assert plan.voiding == (everybody,)


def test_a_plan_reads_in_the_order_in_which_it_is_done() -> None:
    old, new = Entry(A, TOPIC, TOPICS[0], LITERAL, READ), Entry(A, TOPIC, TOPICS[1], LITERAL, READ)
    stale, fresh = (Entry(who, TOPIC, "*", LITERAL, READ, DENY) for who in (A, B))
    plan = plan_changes([new, fresh], [old, stale])
    assert list(plan.lines()) == [f"+ {fresh}", f"- {old}", f"+ {new}", f"- {stale}"]
    assert str(new) == f"{A} ALLOW READ on TOPIC {SYSTEM}.ext"
