"""Dependencies of the handlers of assets: who works on which system's."""

from typing import Annotated

from fastapi import Depends

from platform_ui.accounts.access import LoggedIn
from platform_ui.assets.service import Desk
from platform_ui.db import Database
from platform_ui.metadata.pages import CurrentGateway


def _desk(database: Database, user: LoggedIn, gateway: CurrentGateway, name: str) -> Desk:
    return Desk(database, user, name, gateway)


CurrentDesk = Annotated[Desk, Depends(_desk)]
