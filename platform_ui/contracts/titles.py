"""What people call a contract: its two systems and what it is for, such as "Stations → Car2: Warn of ice".

What lives here: the phrase, made in one place, and reading it for many contracts at once. What does not: how
pages write it (``contracts/names.html``), who sees a contract (``views``).

A contract is called by the purpose that holds or held last, so that a proposal of one side does not rename
what both have signed; before anything has held, by that of the newest version. Contracts of the same systems
and purpose differ by their id, which stands beside the phrase wherever there is room.
"""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ScalarSelect, select

from platform_ui.contracts.models import Contract, ContractVersion
from streamhub.contracts import ContractTerms

LONGEST_PURPOSE: Final = 80
"""So much of a purpose stands in a title [characters]."""


@dataclass(frozen=True, slots=True)
class ContractTitle:
    """A contract as people call it.

    Attributes:
        id: Its id.
        provider: Full name of the system that gives.
        consumer: Full name of the system that receives.
        purpose: What it is for; empty where the person does not see it.
    """

    id: str
    provider: str
    consumer: str
    purpose: str = ""

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"/contracts/{self.id}"

    @property
    def systems(self) -> str:
        """The short names of its systems."""
        return f"{_last_level(self.provider)} → {_last_level(self.consumer)}"

    @property
    def full_systems(self) -> str:
        """The full names of its systems."""
        return f"{self.provider} → {self.consumer}"

    @property
    def short_purpose(self) -> str:
        """The beginning of its purpose, on one line."""
        words = " ".join(self.purpose.split())
        if not words.endswith(".."):
            words = words.removesuffix(".")  # a title is no sentence
        if len(words) <= LONGEST_PURPOSE:
            return words
        shortened = textwrap.shorten(words, LONGEST_PURPOSE, placeholder=" …")
        return shortened if shortened != "…" else f"{words[: LONGEST_PURPOSE - 1]}…"

    @property
    def text(self) -> str:
        """The phrase."""
        return f"{self.systems}: {self.short_purpose}" if self.short_purpose else self.systems

    @property
    def named(self) -> str:
        """The phrase with the id, as a sentence quotes it."""
        return f"“{self.text}” ({self.id})"

    def __str__(self) -> str:
        """Return the phrase."""
        return self.text


def _last_level(system: str) -> str:
    return system.rpartition(".")[2]


def titles_of_terms(
    terms: Iterable[ContractTerms], consumer: str, known: Mapping[str, ContractTitle]
) -> list[ContractTitle]:
    """Return what the contracts of one receiving system are called, in their order.

    Args:
        terms: What they say.
        consumer: Full name of the system that receives.
        known: Titles by id; a contract that the person does not see is called without its purpose.
    """
    return [known.get(one.id, ContractTitle(one.id, one.provider, consumer)) for one in terms]


def purpose_of_title() -> ScalarSelect[str]:
    """Return the purpose by which a contract is called, as a column beside ``Contract``."""
    version = ContractVersion
    return (
        select(version.purpose)
        .where(version.contract_id == Contract.id)
        .order_by(version.in_force_at.desc().nulls_last(), version.number.desc())
        .limit(1)
        .correlate(Contract)
        .scalar_subquery()
    )
