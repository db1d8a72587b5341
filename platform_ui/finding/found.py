"""One thing that was found, and the kinds of things.

What lives here: the words that pages and programs read. What does not: how it is found.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be found; among equals in this order."""

    PAGE = "page"
    SYSTEM = "system"
    CLIENT = "client"
    APP = "app"
    CONTRACT = "contract"
    COMPANY = "company"
    AUDIT = "audit"
    ACTION = "action"

    @property
    def heading(self) -> str:
        """The heading above things of the kind."""
        return {
            Kind.PAGE: "Go to",
            Kind.SYSTEM: "Systems",
            Kind.CLIENT: "Clients",
            Kind.APP: "Stream apps",
            Kind.CONTRACT: "Contracts",
            Kind.COMPANY: "Companies",
            Kind.AUDIT: "Audit logs",
            Kind.ACTION: "Do",
        }[self]


@dataclass(frozen=True, slots=True)
class Found:
    """A thing that was found.

    Attributes:
        kind: What it is.
        title: Its name.
        detail: What tells it from others of its name.
        address: Its page.
        symbol: Its icon.
        rank: How well it fits, the smaller the better [1].
    """

    kind: Kind
    title: str
    detail: str
    address: str
    symbol: str
    rank: int

    @property
    def short(self) -> str:
        """The part of the name that tells it from its neighbours; what is left is in ``rest``."""
        return self.title.rpartition(".")[2] if self.kind is Kind.SYSTEM else self.title

    @property
    def rest(self) -> str:
        """What people read behind the short name."""
        return self.title.rpartition(".")[0] if self.kind is Kind.SYSTEM else self.detail

    @property
    def theme(self) -> str:
        """The theme that it switches to; empty for all else."""
        return self.address.partition("/look#")[2]
