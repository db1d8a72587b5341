"""The search for programs."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.fields import read_form
from platform_ui.finding import service
from platform_ui.finding.forms import MAX_SEARCH, FindForm
from platform_ui.finding.found import Found, Kind

router = APIRouter(tags=["search"])

MAX_OF_A_KIND = 100


class FoundAnswer(BaseModel):
    """A thing that was found; `address` is its page, `rank` says how well it fits, the smallest first."""

    kind: Kind
    title: str
    detail: str
    address: str
    rank: int

    @classmethod
    def of(cls, found: Found) -> "FoundAnswer":
        """Return the public form of a thing that was found."""
        return cls(
            kind=found.kind,
            title=found.title,
            detail=found.detail,
            address=found.address,
            rank=found.rank,
        )


class FoundAnswers(BaseModel):
    """What fits a search, best first."""

    items: list[FoundAnswer]


@router.get("/search")
async def search(
    database: Database,
    user: LoggedIn,
    q: Annotated[str, Query(max_length=MAX_SEARCH, description="Words that must all occur.")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_OF_A_KIND, description="How many of each kind.")] = 25,
) -> FoundAnswers:
    """Find companies, systems, clients, stream apps, contracts, pages and actions that you see."""
    form = read_form(FindForm, {"q": q})
    return FoundAnswers(
        items=[FoundAnswer.of(one) for one in await service.find(database, user, form.q, limit)]
    )
