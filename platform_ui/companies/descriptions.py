"""The description of a company, a system or a client app: the one thing of it that may change.

What lives here: changing it. What does not: who may (each domain's ``service``).
"""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.audit import service as audit
from platform_ui.companies.forms import Description
from platform_ui.fields import Form


class DescriptionForm(Form):
    """Another description; nothing when it stays as it is."""

    description: Description | None = None


class Described(Protocol):
    """Whatever has a name and a description."""

    __tablename__: str
    name: str
    description: str


async def change(
    session: AsyncSession, user: User, row: Described, description: str | None, *, full_name: str = ""
) -> None:
    """Give a company, system or client app another description.

    Args:
        session: the database.
        user: who may do it: that has been checked.
        row: what is described.
        description: in which words; None and what it is already change nothing.
        full_name: the dotted name, where `row.name` is only its last part.
    """
    if description is None or description == row.description:
        return
    before, row.description = row.description, description
    kind = {"companies": "company", "systems": "system", "client_apps": "client"}[row.__tablename__]
    audit.record(
        session,
        user,
        f"{kind}.changed",
        full_name or row.name,
        before={"description": before},
        after={"description": description},
    )
    await session.commit()
