"""Where the three truths differ: what is permitted but not used, declared but not running, and so on.

What lives here: the rules by which a difference is told, the worst first. What does not: the truths
themselves (``truths``). Pure: the present time comes in as an argument.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from platform_ui.flows.graph import FAILING
from platform_ui.flows.troubles import Weight
from platform_ui.lineage.world.facts import AppFact, ContractFact
from platform_ui.lineage.world.truths import World

UNUSED_AFTER: Final = timedelta(days=30)
GRACE: Final = timedelta(seconds=10)
"""How long after the end of a contract records may still come: those that were on their way."""
_MOVES: Final = frozenset({"running", "starting", "backing_off"})


@dataclass(frozen=True, slots=True)
class Difference:
    """Something on which the truths do not agree.

    Attributes:
        weight: How bad it is.
        kind: What it is, as a stable word.
        object_name: What it is about.
        text: What differs, in one sentence.
        url: Where to look.
        action: What to do there, in a few words.
        ends: The systems between which it is.
    """

    weight: Weight
    kind: str
    object_name: str
    text: str
    url: str
    action: str
    ends: tuple[str, ...] = ()


def differences_of(world: World, present: datetime) -> list[Difference]:
    """Return where what is declared, permitted and observed differ, the worst first.

    Args:
        world: The three truths.
        present: The present time.
    """
    found = [
        *_not_permitted_any_more(world),
        *_of_apps(world),
        *_not_declared(world),
        *_not_used(world, present),
    ]
    return sorted(found, key=lambda one: (one.weight, one.kind, one.object_name))


def _not_permitted_any_more(world: World) -> Iterator[Difference]:
    for app in world.facts.apps:
        rate = world.rate(app.app_id)
        if rate is not None and rate.state in _MOVES and not app.is_permitted:
            lacks = " and ".join(app.lacking)
            text = (
                f"{app.name} still runs, but no contract lets {app.target} have records of {lacks} any more."
            )
            yield Difference(
                Weight.BROKEN,
                "observed_not_permitted",
                app.app_id,
                text,
                app.url,
                "Look at the app",
                _ends(app),
            )
    known = {one.id: one for one in world.facts.contracts}
    for target, seen in world.observation.received.items():
        for key, tally in seen.by_contract.items():
            contract = known.get(key)
            if contract is not None and _came_later(contract, tally.newest):
                text = f"{target} received records by contract {key} after it had ended."
                ends = (contract.provider, contract.consumer)
                yield Difference(
                    Weight.BROKEN,
                    "observed_not_permitted",
                    key,
                    text,
                    contract.url,
                    "Look at the contract",
                    ends,
                )


def _came_later(contract: ContractFact, newest: datetime) -> bool:
    return contract.ended_at is not None and newest > contract.ended_at + GRACE


def _of_apps(world: World) -> Iterator[Difference]:
    if world.is_past:
        return
    for app in world.facts.apps:
        if not app.is_permitted:
            lacks = " and ".join(app.lacking)
            text = f"{app.name} is declared, but no contract lets {app.target} have records of {lacks}."
            yield Difference(
                Weight.AT_RISK,
                "declared_not_permitted",
                app.app_id,
                text,
                app.url,
                "Find a contract",
                _ends(app),
            )
            continue
        rate = world.rate(app.app_id)
        state = rate.state if rate else "not deployed"
        if state in FAILING:
            text = f"{app.name} is declared and permitted, but it fails."
            yield Difference(
                Weight.AT_RISK, "declared_not_running", app.app_id, text, app.url, "See why", _ends(app)
            )
        elif state not in _MOVES and state != "stopping":
            text = f"{app.name} is declared and permitted, but does not run: it is {state.replace('_', ' ')}."
            yield Difference(
                Weight.TO_DO,
                "declared_not_running",
                app.app_id,
                text,
                app.url,
                "Start or delete it",
                _ends(app),
            )


def _not_declared(world: World) -> Iterator[Difference]:
    declared = {app.app_id for app in world.facts.apps}
    for target, seen in world.observation.received.items():
        for app_id in seen.by_app:
            if app_id not in declared:
                text = f"{target} received records through {app_id}, which is not declared (any more)."
                yield Difference(
                    Weight.TO_DO,
                    "observed_not_declared",
                    app_id,
                    text,
                    f"/systems/{target}?show=apps",
                    "See its apps",
                    (target,),
                )


def _not_used(world: World, present: datetime) -> Iterator[Difference]:
    if world.is_past:
        return
    for contract in world.facts.contracts:
        since = contract.since
        if not contract.is_in_force or since is None or present - since < UNUSED_AFTER:
            continue
        apps = [app for app in world.facts.apps if contract.id in {use.contract for use in app.uses.values()}]
        if any(_may_have_moved(world, app, present) for app in apps) or _has_come(world, contract, present):
            continue
        why = "no stream app carries it" if not apps else "its stream apps have not moved"
        text = (
            f"The contract {contract.title.named} has let {contract.consumer} have records of "
            f"{contract.provider} for 30 days, but {why}."
        )
        yield Difference(
            Weight.TO_DO,
            "permitted_not_used",
            contract.id,
            text,
            contract.url,
            "Use it or end it",
            (contract.provider, contract.consumer),
        )


def _may_have_moved(world: World, app: AppFact, present: datetime) -> bool:
    """Return whether an app has moved in the time that counts; what is not known counts as moved."""
    rate = world.rate(app.app_id)
    if rate is not None:
        if rate.last_progress is None:
            return rate.state in _MOVES
        return present - rate.last_progress < UNUSED_AFTER
    moved = world.snapshot.topic(f"{app.target}.ext").last_moved
    return moved is not None and present - moved < UNUSED_AFTER


def _has_come(world: World, contract: ContractFact, present: datetime) -> bool:
    seen = world.observation.received.get(contract.consumer)
    tally = seen.by_contract.get(contract.id) if seen else None
    return tally is not None and present - tally.newest < UNUSED_AFTER


def _ends(app: AppFact) -> tuple[str, ...]:
    return (*app.sources, app.target)
