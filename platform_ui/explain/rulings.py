"""What an answer to "may they?" says, as plain data.

What lives here: `Ruling` and its forms for people and programs. What does not: deciding (``kafka``,
``people``, ``crossing``).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self


class Answer(StrEnum):
    """May they?"""

    ALLOWED = "allowed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Clause(str):
    """A sentence that an answer rests on, and the page of what it names.

    It is a text like any other for who writes it out.

    Attributes:
        kind: ``role``, ``contract``, ``rule`` (of the broker), ``app``, ``client``; empty for another one.
        address: The page; empty for none.
    """

    __slots__ = ("address", "kind")
    kind: str
    address: str

    def __new__(cls, text: str, kind: str = "", address: str = "") -> Self:
        """Return a sentence with its page."""
        clause = super().__new__(cls, text)
        clause.kind, clause.address = kind, address
        return clause


@dataclass(frozen=True, slots=True)
class Ruling:
    """An answer and what it rests on.

    Attributes:
        question: What was asked, in words.
        answer: May they?
        clauses: What allows it; for a refusal what is there of it.
        missing: The smallest thing that is missing; empty when it is allowed.
        step: What to do next; empty when there is nothing to do.
        address: The page on which to do it; empty for none.
    """

    question: str
    answer: Answer
    clauses: tuple[str, ...] = ()
    missing: str = ""
    step: str = ""
    address: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether they may."""
        return self.answer is Answer.ALLOWED

    @property
    def chain(self) -> tuple[Clause, ...]:
        """What it rests on, link by link, each with its page."""
        return tuple(one if isinstance(one, Clause) else Clause(one) for one in self.clauses)

    def lines(self) -> list[str]:
        """Return the answer for a person, line by line."""
        lines = [f"{self.answer}: {self.question}"]
        lines += [f"  because {clause}" for clause in self.clauses]
        if self.missing:
            lines.append(f"  missing: {self.missing}")
        if self.step:
            lines.append(f"  next: {self.step}{f' ({self.address})' if self.address else ''}")
        return lines

    def document(self) -> dict[str, object]:
        """Return the answer for a program."""
        return {
            "question": self.question,
            "answer": self.answer.value,
            "because": list(self.clauses),
            "missing": self.missing,
            "next": self.step,
            "address": self.address,
        }


def day(time: datetime | None) -> str:
    """Return the day of a clause, in UTC."""
    return f"on {time:%Y-%m-%d}" if time is not None else ""
