"""Certificates of the demo's client apps, in the folder from which its programs start.

What lives here: having them issued through the same service as by hand, and the access rules that come with
them. What does not: the demo's objects (``demo``), and when a certificate is due (the local stack).
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from client.errors import ConfigurationError
from platform_ui.accounts import service as accounts
from platform_ui.acl_settings import Principals
from platform_ui.acls.kafka_port import KafkaAcls
from platform_ui.acls.keeper import apply
from platform_ui.credentials.service import Issuer, issue
from platform_ui.db import create_engine, create_sessions
from platform_ui.demo_world import COMPANIES, DemoCompany
from platform_ui.pki.authority import Authority
from platform_ui.settings import PlatformSettings


async def hand_out(
    settings: PlatformSettings, folder: Path, companies: Sequence[DemoCompany] = COMPANIES
) -> int:
    """Issue a certificate for every client app of the demo and bring its access rules to the broker.

    Args:
        settings: Those of the platform; with an authority.
        folder: Gets a folder for each client app, named ``<system>.<client>``.
        companies: Whose client apps.

    Returns:
        How many certificates.

    Raises:
        ConfigurationError: The settings name no authority, or it cannot be opened.
        PlatformError: The broker or the database refuses.
    """
    if settings.pki_directory is None:
        raise ConfigurationError(
            "DTWIN_PKI__DIRECTORY is not set: the demo's client apps get certificates of its authority",
            setting="DTWIN_PKI__DIRECTORY",
        )
    authority = Authority.open(settings.pki_directory, settings.pki_passphrase)
    issuer = Issuer(authority, settings, f"http://{settings.host}:{settings.port}")
    engine = create_engine(settings.database_url)
    number = 0
    try:
        async with create_sessions(engine)() as session:
            for company in companies:
                owner = await accounts.registered(session, company.owner.email)
                for system in company.systems:
                    name = f"{company.name}.{system.workcenter}.{system.station}"
                    for client, _ in system.clients:
                        issued = await issue(session, owner, (name, client), issuer)
                        await asyncio.to_thread(_write, folder / issued.bundle.folder, issued.bundle.files())
                        number += 1
            port = KafkaAcls(settings.kafka_bootstrap_servers, settings.security)
            await apply(session, port, Principals.CERTIFICATES)
    finally:
        await engine.dispose()
    return number


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(exist_ok=True, mode=0o700)  # what a first program needs is in a folder of its own
        fresh = place.with_name(f".{place.name}")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        fresh.replace(place)
