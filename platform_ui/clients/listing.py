"""The lists of client apps, page by page: of all systems of a person, and of one system.

What lives here: reading the lists. What does not: one client app and its rules (``service``).
"""

from operator import itemgetter
from typing import Final, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.rest.paging import Listed, Order, PageRequest, matches, read_page
from platform_ui.systems.listing import seen_by
from platform_ui.systems.models import System

BY_SYSTEM: Final = Order("clients", (System.name, ClientApp.name))
BY_NAME: Final = Order("clients-of-system", (ClientApp.name,))


async def page_of_clients(
    session: AsyncSession, user: User, page: PageRequest, *, counted: bool = False
) -> Listed[tuple[ClientApp, System]]:
    """Return one page of the client apps of the systems that a person sees, by system and name.

    Args:
        session: the database.
        user: who asks.
        page: which part of the list; names, systems and descriptions are searched.
        counted: whether to count the whole list.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    statement = (
        select(ClientApp, System)
        .join(System, System.id == ClientApp.system_id)
        .where(
            System.id.in_(seen_by(user)),
            matches(page.q, ClientApp.name, System.name, ClientApp.description),
        )
    )
    found = await read_page(session, statement, BY_SYSTEM.turned(page.is_descending), page, counted=counted)
    return found.map(lambda row: cast(tuple[ClientApp, System], row))


async def page_of_system(session: AsyncSession, system: System, page: PageRequest) -> Listed[ClientApp]:
    """Return one page of the client apps of a system, by name, with their number.

    Raises:
        PageTokenError: the token is not one of this list.
    """
    statement = select(ClientApp).where(
        ClientApp.system_id == system.id, matches(page.q, ClientApp.name, ClientApp.description)
    )
    found = await read_page(session, statement, BY_NAME.turned(page.is_descending), page, counted=True)
    return found.map(itemgetter(0))
