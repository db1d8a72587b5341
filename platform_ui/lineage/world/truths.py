"""The lines of lineage between systems and stream apps, each with why it is there, in three senses.

What lives here: what is declared by statements, permitted by contracts, access rules and shares, observed by
figures and headers. What does not: the level of Datastreams (``datastreams``), what their differences mean
(``differences``). Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from platform_ui.acls.compiling import StreamAppState, app_entries
from platform_ui.acls.entries import READ, TOPIC, WRITE, Entry
from platform_ui.flows.figures import AppRate, FlowSnapshot
from platform_ui.flows.graph import company_of
from platform_ui.lineage.observed import Observation, Tally
from platform_ui.lineage.world.columns import Reading
from platform_ui.lineage.world.facts import AppFact, ContractFact, Facts
from platform_ui.lineage.world.graph import Evidence, Line, Truth
from platform_ui.pki.names import Identity, Kind
from platform_ui.streams.models import CONTRACT

_UNKNOWN: Final = AppRate("unknown", "unknown")


@dataclass(frozen=True, slots=True)
class World:
    """Everything that lineage is judged by.

    Attributes:
        facts: What is declared and permitted.
        snapshot: What was last measured.
        observation: What the last records say.
        is_past: Whether one looks back: then nothing is known of what was observed.
    """

    facts: Facts
    snapshot: FlowSnapshot = field(default_factory=FlowSnapshot)
    observation: Observation = field(default_factory=Observation)
    is_past: bool = False

    def rate(self, app_id: str) -> AppRate | None:
        """Return the figures of an app; nothing when it does not run anywhere, or one looks back."""
        return None if self.is_past else self.snapshot.apps.get(app_id)


def lines_of(world: World) -> list[Line]:
    """Return all lines between systems and apps, and between systems that only share or only received."""
    apps = [line for app in world.facts.apps for line in _of_app(world, app)]
    return [*apps, *_of_contracts(world), *_of_strangers(world)]


def rules_of(app: AppFact) -> tuple[Entry, ...]:
    """Return the access rules of Kafka that an app has; none when its contracts do not let it run."""
    if not app.is_permitted or app.stopped_by == CONTRACT:
        return ()
    state = StreamAppState(app.sources[0], app.name, app.sources, app.target)
    return app_entries(Identity(Kind.APP, app.app_id).principal, state)


def contracts_of(facts: Facts, app: AppFact) -> list[ContractFact]:
    """Return the contracts that an app goes by, as far as the person sees them."""
    ids = {use.contract for use in app.uses.values()}
    return [one for one in facts.contracts if one.id in ids]


def _of_app(world: World, app: AppFact) -> Iterator[Line]:
    rules = rules_of(app)
    rate = world.rate(app.app_id)
    for source in app.sources:
        evidence = (
            Evidence(Truth.DECLARED, f"Version {app.version} of {app.name} reads {source}.", app.url),
            *_read_permission(world, app, source, rules),
            *_reading(world, app, source, rate),
        )
        read = (
            rate.consumed_per_s if rate and len(app.sources) == 1 and source in world.facts.seen() else None
        )
        yield Line(source, app.app_id, evidence=evidence, rate_per_s=read)
    evidence = (
        Evidence(Truth.DECLARED, f"Version {app.version} of {app.name} writes to {app.target}.", app.url),
        *_write_permission(app, rules),
        *_writing(world, app, rate),
    )
    yield Line(app.app_id, app.target, evidence=evidence, rate_per_s=rate.forwarded_per_s if rate else None)


def _read_permission(world: World, app: AppFact, source: str, rules: tuple[Entry, ...]) -> Iterator[Evidence]:
    if any(rule.covers(TOPIC, f"{source}.int") and rule.operation == READ for rule in rules):
        yield Evidence(Truth.PERMITTED, f"An access rule of Kafka lets {app.name} read {source}.int.")
        use = app.uses.get(source)
        known = {one.id: one for one in world.facts.contracts}
        if use is not None and use.contract in known:
            contract = known[use.contract]
            named = contract.title.named
            text = f"The contract {named}, version {contract.version}, lets {app.target} have it."
            yield Evidence(Truth.PERMITTED, text, contract.url)


def _write_permission(app: AppFact, rules: tuple[Entry, ...]) -> Iterator[Evidence]:
    if not any(rule.covers(TOPIC, f"{app.target}.ext") and rule.operation == WRITE for rule in rules):
        return
    yield Evidence(Truth.PERMITTED, f"An access rule of Kafka lets {app.name} write {app.target}.ext.")
    reading = Reading.of(app.statement, app.sources[0])
    is_passed = reading is not None and not reading.is_derived
    if is_passed and company_of(app.sources[0]) == company_of(app.target):
        text = f"SensorThings shares with {app.target} the Datastreams that {app.name} passes on."
        yield Evidence(Truth.PERMITTED, text)


def _reading(world: World, app: AppFact, source: str, rate: AppRate | None) -> Iterator[Evidence]:
    if rate is not None and rate.consumed and (app.is_inside or len(app.sources) == 1):
        several = " of its sources together" if len(app.sources) > 1 else ""
        text = f"It has read {rate.consumed:,} records{several} since it was started."
        yield Evidence(Truth.OBSERVED, text, app.url)
    seen = world.observation.received.get(app.target)
    tally = seen.by_origin.get((app.app_id, source)) if seen else None
    if seen is not None and tally is not None:
        yield _counted(tally, seen.looked_at, app.target, f"came from {source}.int through it")


def _writing(world: World, app: AppFact, rate: AppRate | None) -> Iterator[Evidence]:
    if rate is not None and rate.forwarded:
        text = f"It has written {rate.forwarded:,} records since it was started."
        yield Evidence(Truth.OBSERVED, text, app.url)
    seen = world.observation.received.get(app.target)
    tally = seen.by_app.get(app.app_id) if seen else None
    if seen is not None and tally is not None:
        yield _counted(tally, seen.looked_at, app.target, "carry its name")


def _counted(tally: Tally, looked_at: int, target: str, what: str) -> Evidence:
    newest = tally.newest.strftime("%Y-%m-%d %H:%M:%S UTC")
    text = (
        f"{tally.records:,} of the last {looked_at:,} records of {target}.ext {what}, the last at {newest}."
    )
    return Evidence(Truth.OBSERVED, text)


def _of_contracts(world: World) -> Iterator[Line]:
    """Contracts that no app carries; what an app carries stands on the app's own lines."""
    carried = {use.contract for app in world.facts.apps for use in app.uses.values() if use.is_in_force}
    for one in world.facts.contracts:
        if not one.is_in_force or one.id in carried:
            continue
        what = f"{len(one.datastreams)} Datastreams" if one.datastreams else "all Datastreams"
        parts = "descriptions and Observations" if one.is_whole else "descriptions"
        shares = f"The contract {one.title.named}, version {one.version}, shares {what}."
        evidence = (
            Evidence(Truth.PERMITTED, shares, one.url),
            Evidence(Truth.PERMITTED, f"SensorThings shows {one.consumer} their {parts}.", one.url),
        )
        yield Line(one.provider, one.consumer, "may be shared", evidence)


def _of_strangers(world: World) -> Iterator[Line]:
    """Records of apps that are not declared any more, or never were."""
    declared = {app.app_id for app in world.facts.apps}
    for target, seen in world.observation.received.items():
        for (app, source), tally in seen.by_origin.items():
            if app not in declared and source != target:
                yield Line(
                    source,
                    target,
                    "moves",
                    (_counted(tally, seen.looked_at, target, f"came through {app}"),),
                    (app,),
                )
