"""What needs somebody: a list with the worst first, each with the place where it is mended.

What lives here: the rules by which something is a trouble. What does not: finding the facts (``reading``).
Pure: the present time comes in as an argument.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from platform_ui.contracts.titles import ContractTitle
from platform_ui.flows.figures import AppRate, FlowSnapshot
from platform_ui.flows.graph import FAILING, AppFact, Facts, Scope, SystemFact

SOON: Final = timedelta(days=14)
"""How long before the end of a contract or a certificate somebody is told."""
SILENT_AFTER: Final = timedelta(minutes=15)
HALF_MADE_AFTER: Final = timedelta(minutes=1)
MOST: Final = 50
"""How many troubles are listed; a longer list is read by nobody."""


class Weight(IntEnum):
    """How bad a trouble or a difference is, the worst first."""

    BROKEN = 1
    AT_RISK = 2
    TO_DO = 3


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that needs somebody.

    Attributes:
        weight: How bad it is.
        kind: What it is, as a stable word.
        object_name: What it is about.
        text: What is wrong, in one sentence.
        url: Where it is mended.
        action: What to do there, in two or three words.
        detail: The cause, where it is known.
        at: When it will hurt, or did.
    """

    weight: Weight
    kind: str
    object_name: str
    text: str
    url: str
    action: str
    detail: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndingContract:
    """A contract whose end is near."""

    title: ContractTitle
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class UnsignedContract:
    """A contract that waits for the person's signature."""

    title: ContractTitle


@dataclass(frozen=True, slots=True)
class EndingCertificate:
    """A client app whose newest certificate is near its end."""

    system: str
    client: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Worries:
    """What besides the flows themselves may need somebody.

    Attributes:
        ending: Contracts whose end is near.
        unsigned: Contracts that wait for the person.
        certificates: Certificates whose end is near.
        half_made: Systems whose topics are not verified, and since when.
    """

    ending: Sequence[EndingContract] = ()
    unsigned: Sequence[UnsignedContract] = ()
    certificates: Sequence[EndingCertificate] = ()
    half_made: dict[str, datetime] = field(default_factory=dict)


def find_troubles(
    facts: Facts, worries: Worries, snapshot: FlowSnapshot, scope: Scope, present: datetime
) -> list[Trouble]:
    """Return what needs this person in a part of what they see, the worst first.

    Args:
        facts: What the person sees of what flows.
        worries: What else may need them.
        snapshot: What was last measured.
        scope: The part.
        present: The present time.
    """
    systems = [system for system in facts.systems if scope.holds(system.name)]
    apps = [app for app in facts.apps if any(map(scope.holds, (*app.sources, app.target)))]
    found = [
        *_of_measuring(snapshot),
        *_of_apps(apps, snapshot),
        *_of_systems(systems, worries, snapshot, present),
        *_of_contracts(worries, scope, present),
        *_of_certificates(worries, scope, present),
    ]
    return sorted(found, key=lambda trouble: (trouble.weight, trouble.kind, trouble.object_name))


def _of_measuring(snapshot: FlowSnapshot) -> Iterator[Trouble]:
    """Tell that figures are missing; why, with the addresses of what does not answer, is for operators."""
    if snapshot.trouble:
        yield Trouble(
            Weight.BROKEN,
            "not_measured",
            "figures",
            "Figures are old or missing: something does not answer.",
            "/platform",
            "See what answers",
            at=snapshot.at,
        )


def _of_apps(apps: Iterable[AppFact], snapshot: FlowSnapshot) -> Iterator[Trouble]:
    for app in apps:
        rate = snapshot.apps.get(app.app_id)
        if rate is not None:
            yield from _of_app(app, rate)


def _of_app(app: AppFact, rate: AppRate) -> Iterator[Trouble]:
    cause = rate.cause or ""
    if rate.state in FAILING:
        text = "has failed." if rate.state == "failed" else "fails and is started again."
        yield Trouble(
            Weight.BROKEN, f"app_{rate.state}", app.app_id, f"{app.name} {text}", app.url, "See why", cause
        )
    elif rate.state == "unknown" and rate.desired == "running":
        yield Trouble(
            Weight.BROKEN,
            "app_unwatched",
            app.app_id,
            f"Nobody looks after {app.name}: the runner of stream apps is away.",
            app.url,
            "See why",
            cause,
        )
    elif rate.is_falling_behind:
        yield Trouble(
            Weight.AT_RISK,
            "app_falling_behind",
            app.app_id,
            f"{app.name} falls behind: {rate.lag:,} records wait, and it grows.",
            app.url,
            "Look at it",
        )
    if app.stopped_by == "contract" and rate.state == "stopped":
        yield Trouble(
            Weight.AT_RISK,
            "app_without_contract",
            app.app_id,
            f"{app.name} stands still: a contract that it needs has ended.",
            app.url,
            "Look at it",
        )


def _of_systems(
    systems: Iterable[SystemFact], worries: Worries, snapshot: FlowSnapshot, present: datetime
) -> Iterator[Trouble]:
    for system in systems:
        name, url = system.name, f"/systems/{system.name}"
        began = worries.half_made.get(name)
        if began is not None and present - began > HALF_MADE_AFTER:
            yield Trouble(
                Weight.BROKEN,
                "system_half_made",
                name,
                f"{name} is half-made: its topics are not all there.",
                url,
                "See its page",
                "It is finished when the platform starts again and Kafka answers.",
                began,
            )
        refused = snapshot.topic(f"{name}.int.dlq").last_hour
        if refused:
            word = "record was" if refused == 1 else "records were"
            yield Trouble(
                Weight.AT_RISK,
                "dead_letters",
                name,
                f"{refused:,} {word} refused in {name} in the last hour.",
                f"/live?system={name}&topic=dlq",
                "See them",
            )
        moved = snapshot.topic(f"{name}.int").last_moved
        if system.clients and moved is not None and present - moved > SILENT_AFTER:
            yield Trouble(
                Weight.AT_RISK,
                "system_silent",
                name,
                f"The devices of {name} are silent.",
                url,
                "See its clients",
                at=moved,
            )


def _of_contracts(worries: Worries, scope: Scope, present: datetime) -> Iterator[Trouble]:
    for unsigned in worries.unsigned:
        title = unsigned.title
        if scope.holds(title.provider) or scope.holds(title.consumer):
            yield Trouble(
                Weight.TO_DO,
                "contract_to_sign",
                title.id,
                f"The contract “{title}” waits for your signature.",
                title.url,
                "Read and sign",
            )
    for ending in worries.ending:
        title = ending.title
        if scope.holds(title.provider) or scope.holds(title.consumer):
            yield Trouble(
                Weight.AT_RISK,
                "contract_ending",
                title.id,
                f"The contract “{title}” ends {_when(ending.ends_at, present)}.",
                title.url,
                "Prolong it",
                at=ending.ends_at,
            )


def _of_certificates(worries: Worries, scope: Scope, present: datetime) -> Iterator[Trouble]:
    for ending in worries.certificates:
        if scope.holds(ending.system):
            is_over = ending.not_after <= present
            verb = "ended" if is_over else "ends"
            yield Trouble(
                Weight.BROKEN if is_over else Weight.AT_RISK,
                "certificate_ending",
                f"{ending.system}.{ending.client}",
                f"The certificate of {ending.client} {verb} {_when(ending.not_after, present)}.",
                f"/systems/{ending.system}/clients/{ending.client}/credentials",
                "Renew it",
                at=ending.not_after,
            )


def _when(time: datetime, present: datetime) -> str:
    """Return how far a time is from the present, in whole days."""
    days = round(abs(time - present) / timedelta(days=1))
    if days == 0:
        return "today"
    text = "1 day" if days == 1 else f"{days} days"
    return f"{text} ago" if time < present else f"in {text}"
