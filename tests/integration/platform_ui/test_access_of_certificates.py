"""Which certificates of a client app the SensorThings service is told to believe."""

import secrets
from collections.abc import Callable

from fastapi import FastAPI

from platform_ui.access.port import Rights, client_principal, own_rights
from platform_ui.access.wanted import client_rights, wanted_principals
from platform_ui.credentials.models import Credential
from platform_ui.db import now
from platform_ui.pki.names import Kind
from tests.integration.platform_ui.doubles import Browser


async def test_certificates_of_the_current_epoch_are_the_client_apps(
    new_browser: Callable[[], Browser], site: FastAPI
) -> None:
    browser = new_browser()
    word = f"t{secrets.token_hex(4)}"
    await browser.sign_up(word)
    await browser.add("/companies/new", domain="cz", enterprise=word)
    await browser.add("/systems/new", company=f"cz.{word}", workcenter="Fleet", station="Car1")
    system = f"cz.{word}.Fleet.Car1"
    for name in ("car_1", "car_2"):
        await browser.add(f"/systems/{system}/clients/new", name=name)
    first, second = (client_principal(system, name) for name in ("car_1", "car_2"))
    async with site.state.sessions() as session:
        session.add(Credential(kind=Kind.CLIENT, name=first, epoch=3, created_at=now()))
        session.add(Credential(kind=Kind.APP, name=second, epoch=5, created_at=now()))
        await session.commit()
        wanted = await wanted_principals(session)
        assert wanted[first] == own_rights(system, f"{first}~3")
        assert wanted[first] == await client_rights(session, system, "car_1")
        revoked = await session.get_one(Credential, (Kind.CLIENT, first))
        revoked.blocked_at = now()
        assert await client_rights(session, system, "car_1") == Rights(None, (), certificate=f"{first}~3")
        assert wanted[second] == own_rights(system) == await client_rights(session, system, "car_2")
