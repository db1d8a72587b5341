"""What a newcomer does first, in order: from a company to a running stream app.

What lives here: which step is done and where the next one is. What does not: the form that does the first
ones together (``start_pages``). Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from platform_ui.flows.figures import FlowSnapshot
from platform_ui.flows.graph import Facts


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a newcomer.

    Attributes:
        title: What is done.
        help: Why, in one sentence.
        url: Where.
        action: The words on its button.
        is_done: Whether it is.
    """

    title: str
    help: str
    url: str
    action: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Beginnings:
    """What a person has, as far as the first steps go.

    Attributes:
        companies: Names of the companies in which they may make systems.
        client: Address of the page of one of their client apps; empty when they have none.
    """

    companies: Sequence[str]
    client: str


def first_steps(facts: Facts, beginnings: Beginnings, snapshot: FlowSnapshot) -> list[Step]:
    """Return the steps, or none when all are done or they are not this person's to do."""
    own = [system.name for system in facts.systems if system.is_operated]
    if facts.systems and not own:
        return []  # looks at what others have made
    home = f"/systems/{own[0]}" if own else "/start"
    has_record = any(snapshot.topic(f"{name}.{side}").total for name in own for side in ("int", "ext"))
    has_app = any({*app.sources, app.target}.intersection(own) for app in facts.apps)
    steps = [
        Step(
            "A company",
            "Its name begins the names of its systems.",
            "/start",
            "Create it",
            bool(beginnings.companies or own),
        ),
        Step(
            "A system",
            "A machine, a car, a room: with topics of its own.",
            "/start",
            "Create it",
            bool(own),
        ),
        Step(
            "A client app",
            "The device or program that sends records.",
            f"{home}/clients/new" if own else "/start",
            "Add it",
            bool(beginnings.client),
        ),
        Step(
            "The first record",
            "Copy a program of a few lines, run it, and see it arrive.",
            beginnings.client or home,
            "Connect it",
            has_record,
        ),
        Step(
            "A stream app",
            "Carries the records that you choose to another system.",
            f"{home}/apps/new{_other(own)}" if own else "/start",
            "Write it",
            has_app,
        ),
    ]
    return [] if all(step.is_done for step in steps) else steps


def _other(own: Sequence[str]) -> str:
    """Name the target of the first stream app in its form, when only one system can be meant."""
    return f"?target_system={own[1]}" if len(own) == 2 else ""  # noqa: PLR2004 - the first one and another
