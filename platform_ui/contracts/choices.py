"""The Datastreams that a form of terms offers for choice, beside the field where names are written.

What lives here: which are shown, which of the written ones are ticked, what is said above them, and reading a
form with ticks. What does not: which Datastreams there are (``registered``), the rules of names (``naming``).

What is ticked and what is written are put together when the form is sent, so it works without a script.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from platform_ui.contracts import naming
from platform_ui.contracts.forms import MAX_DATASTREAMS
from platform_ui.contracts.registered import Registered
from platform_ui.web import Page

TICKED: Final = "choice"  # the name of the check boxes
WRITTEN: Final = "datastreams"
LOOKED_UP: Final = "look_up"  # the button that shows the choices where there is no script


@dataclass(frozen=True, slots=True)
class Choice:
    """One Datastream to choose.

    Attributes:
        name: Full name.
        short: Its Thing and own name.
        unit: Symbol of its unit, or empty.
        observed: What it observes, or empty.
        is_ticked: Whether it was chosen or written before.
    """

    name: str
    short: str
    unit: str
    observed: str
    is_ticked: bool

    @property
    def words(self) -> str:
        """All by which it is found."""
        return f"{self.short} {self.unit} {self.observed}".casefold()


@dataclass(frozen=True, slots=True)
class Choices:
    """What a form offers for choice.

    Attributes:
        system: Full name of the system that gives; empty where it is not known yet.
        shown: Datastreams, by name.
        hidden: How many there are besides.
        told: Why there is nothing to choose, or what is to know about the list.
        further: What was written and is not among those shown, one a line.
    """

    system: str = ""
    shown: tuple[Choice, ...] = ()
    hidden: int = 0
    told: str = ""
    further: str = ""


def choices_of(
    system: str, found: Registered, offered: Iterable[Mapping[str, str]] = (), written: str = ""
) -> Choices:
    """Return what a form offers for choice.

    Args:
        system: full name of the system that gives.
        found: what the person may see of it.
        offered: what published offers that the person finds tell of its Datastreams.
        written: names that were chosen or written before, one a line.
    """
    rows: dict[str, Mapping[str, str]] = {one["name"]: one for one in offered} | dict(found.rows)
    names = [line.strip() for line in written.splitlines() if line.strip()]
    ticked = {naming.complete(system, name, rows) for name in names}
    # What is ticked is always shown: else it would be lost when the form is sent.
    in_order = sorted(rows, key=lambda name: (name not in ticked, name))[:MAX_DATASTREAMS]
    shown = sorted(in_order)
    further = [name for name in names if naming.complete(system, name, rows) not in shown]
    return Choices(
        system,
        tuple(_choice(system, rows[name], is_ticked=name in ticked) for name in shown),
        len(rows) - len(shown),
        _told(system, found, has_choices=bool(rows)),
        "\n".join(dict.fromkeys(further)),
    )


def _choice(system: str, row: Mapping[str, str], *, is_ticked: bool) -> Choice:
    name = row["name"]
    short = naming.short_name(system, name)
    return Choice(name, short, row.get("unit", ""), row.get("property", ""), is_ticked)


def _told(system: str, found: Registered, *, has_choices: bool) -> str:
    if not system:
        return "Name the system that gives first; those of its Datastreams that you may see come here."
    if found.is_own and not found.is_answered:
        return "The Datastreams cannot be listed just now: write their names, or try again in a moment."
    if found.is_own:
        if not found.is_complete:
            return "There are more than these: write the names of the others."
        return "" if has_choices else f"No Datastream is registered in {system} yet: write their names."
    if has_choices:
        return (
            "These are offered or shared with you. Others you do not see here: ask your partner for their "
            "names and write them."
        )
    return (
        f"You see no Datastream of {system}: ask your partner for the names and write them, or leave the "
        "field empty to ask for all."
    )


async def sent_form(page: Page) -> dict[str, str]:
    """Return the text fields of a form of terms, with what was ticked among the names that were written.

    Raises:
        FormError: a field holds the character NUL, which no text of ours may hold.
    """
    values = await page.form()
    ticked = [one for one in (await page.request.form()).getlist(TICKED) if isinstance(one, str)]
    if ticked:
        values[WRITTEN] = "\n".join([values.get(WRITTEN, ""), *ticked])
    values.pop(TICKED, None)
    return values
