"""What is revoked, who still tries, and how long each of them succeeds.

Every scenario is one round: it gives a right, lets witnesses use it, revokes it, and returns by row of the
table the seconds from the moment before the request was sent until the last success (or, where a witness is
refused aloud, until its first refusal after that).
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx2

from benchmarks.revocation.people import wait_until
from benchmarks.revocation.witnesses import Asking, Fetching, Producing, Watching, Witness
from benchmarks.revocation.world import APP, DEVICE, World

Seconds = Mapping[str, float]
_STAYS_REFUSED_S: Final = 2.0
_SETTLED_S: Final = 0.5
_LONGEST_S: Final = 90.0


class NeverRefusedError(RuntimeError):
    """A right that was revoked could still be used when the patience of this program ended."""


def contract_by_provider(world: World) -> Seconds:
    """The provider revokes the contract."""
    return _contract(world, "provider")


def contract_by_consumer(world: World) -> Seconds:
    """The consumer revokes the contract."""
    return _contract(world, "consumer")


def _contract(world: World, side: str) -> Seconds:
    if not world.contract:
        world.renew_contract()
    person = world.giver if side == "provider" else world.taker
    path, contract = f"/contracts/{world.contract}:revoke", world.contract
    world.contract = ""
    headers = {"Authorization": f"Bearer {world.reader_token}"}
    with httpx2.Client(timeout=30) as http:
        things = Asking("SensorThings of the consumer", lambda: world.sees_datastream(headers, http))
        revoke = lambda: person.ask("POST", path, {"side": side, "reason": contract})  # noqa: E731
        return _flow(world, revoke, [things], f"contract revoked by {side}")


def app_by_target(world: World) -> Seconds:
    """The target's side stops the stream app."""
    found = _flow(world, lambda: _app(world, "stop"), [], "app stopped by the other side")
    _app(world, "deploy")
    return found


def _app(world: World, action: str) -> None:
    world.taker.ask("POST", f"/systems/{world.provider}/apps/{APP}:{action}")


def _flow(world: World, revoke: Callable[[], object], further: Sequence[Witness], what: str) -> Seconds:
    """Measure the last record that reached the target, and when the app stands."""
    if not world.contract and not further:
        world.renew_contract()
    state = Asking("app is stopped", lambda: 409 if _state(world) == "stopped" else 200)
    records = Fetching("last record", world.operator, f"{world.consumer}.ext", world.key)
    with contextlib.ExitStack() as stack:
        stack.enter_context(records)
        if _state(world) != "running":
            with contextlib.suppress(ValueError):
                world.giver.ask("POST", f"/systems/{world.provider}/apps/{APP}:deploy")
        wait_until(lambda: _state(world) == "running" and records.count, "records flow")
        for witness in (state, *further):
            stack.enter_context(witness)
        found = _revoke(revoke, [state, *further], what)
        began = time.monotonic() - found.pop("")
        time.sleep(_STAYS_REFUSED_S)
        last = records.allowed_at or began
        return {f"{what}: last record at the consumer": max(last - began, 0), **found}


def _state(world: World) -> str:
    return str(world.giver.app(world.provider, APP)["state"])


def certificate_revoked(world: World) -> Seconds:
    """The certificates of a client app are revoked."""
    path = f"/systems/{world.provider}/clients/{DEVICE}/credentials/revocation"
    return _device(
        world, lambda: world.giver.ask("POST", path, {"reason": "measured"}), "certificate revoked"
    )


def credential_blocked(world: World) -> Seconds:
    """A client app is blocked."""
    path = f"/systems/{world.provider}/clients/{DEVICE}/credentials/block"
    found = _device(world, lambda: world.giver.ask("PUT", path), "client app blocked")
    world.giver.ask("DELETE", path)
    return found


def client_deleted(world: World) -> Seconds:
    """A client app is deleted."""
    path = f"/systems/{world.provider}/clients/{DEVICE}"
    found = _device(world, lambda: world.giver.ask("DELETE", path), "client app deleted")
    world.giver.new_client(world.provider, DEVICE)
    return found


def _device(world: World, revoke: Callable[[], object], what: str) -> Seconds:
    """Measure produce and fetch on connections that are open and busy."""
    identity = world.giver.certify(world.provider, DEVICE, world.folder)
    files = (identity.folder / name for name in ("ca.pem", "certificate.pem", "key.pem"))
    connection = world.connection(*files)
    topic = f"{world.provider}.int"
    token = world.giver.token_of(world.provider, DEVICE)
    headers = {"Authorization": f"Bearer {token}"}
    time.sleep(_SETTLED_S)
    with httpx2.Client(timeout=30) as http, contextlib.ExitStack() as stack:
        witnesses: list[Witness] = [
            Producing("produce", connection, topic, f"{world.provider}.Main.Other"),
            Fetching("fetch", connection, topic),
        ]
        if what != "certificate revoked":  # a token is another proof, which stays
            witnesses.append(Asking("SensorThings by token", lambda: world.sees_datastream(headers, http)))
        for witness in witnesses:
            stack.enter_context(witness)
        found = _revoke(revoke, witnesses, what)
        found.pop("")
        return found


def member_leaves_system(world: World) -> Seconds:
    """A viewer of a system is removed."""
    place = f"systems/{world.provider}"
    world.giver.add_member(place, world.guest, "viewer")
    revoke = lambda: world.giver.remove_member(place, world.guest)  # noqa: E731
    return _person(world, revoke, "member removed from the system")


def member_leaves_company(world: World) -> Seconds:
    """A member of a company, who is an agent of one of its systems, is removed."""
    company = f"companies/{world.provider.rsplit('.', 2)[0]}"
    world.giver.add_member(company, world.guest, "member")
    world.giver.add_member(f"systems/{world.provider}", world.guest, "agent")
    revoke = lambda: world.giver.remove_member(company, world.guest)  # noqa: E731
    return _person(world, revoke, "member removed from the company")


def account_disabled(world: World) -> Seconds:
    """The operator disables an account."""
    place = f"systems/{world.provider}"
    world.giver.add_member(place, world.guest, "viewer")
    revoke = lambda: world.disable(world.guest, is_disabled=True)  # noqa: E731
    found = _person(world, revoke, "account disabled")
    world.disable(world.guest, is_disabled=False)
    world.guest.log_in()
    world.giver.remove_member(place, world.guest)
    return found


def _person(world: World, revoke: Callable[[], object], what: str) -> Seconds:
    """Measure pages, API, the live tail, and what SensorThings shows in the person's name."""
    guest, system = world.guest, world.provider
    token = Path(world.addresses.sensorthings_token_file).read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}", "DTWIN-Act-As": guest.email}
    with httpx2.Client(timeout=30) as http, contextlib.ExitStack() as stack:
        witnesses: list[Witness] = [
            Asking("page", lambda: guest.browser.get(f"/systems/{system}").status_code),
            Asking("API by token", lambda: guest.program.get(f"/api/v1/systems/{system}").status_code),
            Watching("live tail", guest.browser, f"/systems/{system}/tail"),
            Asking("SensorThings in their name", lambda: world.sees_datastream(headers, http)),
        ]
        for witness in witnesses:
            stack.enter_context(witness)
        found = _revoke(revoke, witnesses, what)
        found.pop("")
        return found


def _revoke(revoke: Callable[[], object], witnesses: Sequence[Witness], what: str) -> dict[str, float]:
    """Revoke while everybody is busy; under `""` stands how long ago that began."""
    wait_until(
        lambda: all(one.allowed_at is not None or one.fault for one in witnesses), "every witness is at work"
    )
    time.sleep(_SETTLED_S)
    began = time.monotonic()
    revoke()
    while not all(_is_refused_for_good(one) for one in witnesses):
        for one in witnesses:
            if one.fault is not None:
                raise NeverRefusedError(f"{what}: {one.name} has failed: {one.fault}") from one.fault
            if time.monotonic() - began > _LONGEST_S and not _is_refused_for_good(one):
                raise NeverRefusedError(f"{what}: {one.name} still works after {_LONGEST_S:g} s")
        time.sleep(0.05)
    found = {f"{what}: {one.name}": (one.refused_at or began) - began for one in witnesses}
    return {**found, "": time.monotonic() - began}


def _is_refused_for_good(one: Witness) -> bool:
    return one.refused_at is not None and time.monotonic() - one.refused_at > _STAYS_REFUSED_S


SCENARIOS: Final = (
    contract_by_provider,
    contract_by_consumer,
    app_by_target,
    certificate_revoked,
    credential_blocked,
    client_deleted,
    member_leaves_system,
    member_leaves_company,
    account_disabled,
)
