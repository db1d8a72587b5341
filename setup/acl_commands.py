"""Letting `dtwin acl` find the local stack.

What lives here: the environment of the command. What does not: the command (`platform_ui.acls.commands`).
"""

from __future__ import annotations

import os
from pathlib import Path

from setup.local.paths import Home, home_folder
from setup.local.postgres import database_url, socket_url
from setup.local.state import StateFile
from setup.local.trust import OPERATOR, LocalTrust

_POSTGRES = "DTWIN_POSTGRES__URL"
_DATABASE = "DTWIN_PLATFORM__DATABASE_URL"
_BROKERS = "DTWIN_KAFKA__BOOTSTRAP_SERVERS"


def fill_environment() -> None:
    """Name the platform's database and the broker of the local stack where the environment names none.

    The broker is reached as its operator, who is a super user.
    """
    home = Home(Path(home_folder()))
    parts = StateFile(home.state_file).parts()
    postgres, kafka = parts.get("postgres"), parts.get("kafka")
    found: dict[str, str] = {}
    if os.environ.get(_POSTGRES):
        found[_DATABASE] = database_url(os.environ[_POSTGRES], "platform")
    elif postgres is not None and not postgres.is_given:
        found[_DATABASE] = database_url(socket_url(Path(postgres.address)), "platform")
    if kafka is not None and not kafka.is_given and not os.environ.get(_BROKERS):
        trust = LocalTrust(home.pki, home.pki_passphrase_file)
        found |= {_BROKERS: kafka.address, **trust.service(OPERATOR).environment()}
    for name, value in found.items():
        os.environ.setdefault(name, value)
