"""Secrets: known ones stop production, and none of them shows up in what the platform writes."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from client.errors import ConfigurationError
from platform_ui import db
from platform_ui.accounts import service as accounts
from platform_ui.demo import refuse_known_passwords
from platform_ui.demo_world import PASSWORD, PEOPLE
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings
from setup.local.ports import any_free_port
from tests.integration.platform_ui.beginnings import begin

ROOT = Path(__file__).parents[3]


async def test_production_does_not_start_with_accounts_of_the_demo(
    new_database: Callable[[str], str], settings: PlatformSettings
) -> None:
    url = new_database("known")
    db.migrate(url)
    demo = replace(settings, database_url=url, mode=Mode.DEMO)
    production = replace(demo, mode=Mode.PRODUCTION)
    await refuse_known_passwords(production)
    engine = db.create_engine(url)
    async with db.create_sessions(engine)() as session:
        for person in PEOPLE:
            await accounts.create_user(
                session,
                email=person.email,
                first_name=person.first_name,
                last_name=person.last_name,
                password=PASSWORD,
            )
    await engine.dispose()
    await refuse_known_passwords(demo)
    with pytest.raises(ConfigurationError, match="DTWIN_PLATFORM__MODE") as refused:
        await refuse_known_passwords(production)
    for person in PEOPLE:
        assert person.email in str(refused.value)


def test_no_secret_is_in_what_a_running_platform_writes_or_answers(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    """Also not when things go wrong: neither Kafka nor the services of metadata and log-ins are there."""
    token = secrets.token_urlsafe(32)
    hidden = {
        "DTWIN_PLATFORM__SECRET_KEY": secrets.token_urlsafe(48),
        "DTWIN_OIDC__CLIENT_SECRET": secrets.token_urlsafe(48),
        "DTWIN_KAFKA__SASL_PASSWORD": secrets.token_urlsafe(24),
        "DTWIN_SENSORTHINGS__TOKEN": token,
    }
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "DTWIN_OIDC__CLIENT_SECRET").write_text(hidden.pop("DTWIN_OIDC__CLIENT_SECRET"))
    port = any_free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DTWIN_")}
    environment |= hidden | {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "DTWIN_PLATFORM__DATABASE_URL": begin(new_database("secrets")),
        "DTWIN_PLATFORM__PORT": str(port),
        "DTWIN_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{any_free_port()}",
        "DTWIN_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "DTWIN_KAFKA__SASL_MECHANISM": "PLAIN",
        "DTWIN_KAFKA__SASL_USERNAME": "platform",
        "DTWIN_SENSORTHINGS__URL": f"http://127.0.0.1:{any_free_port()}",
        "DTWIN_RUNNER__DIRECTORY": str(tmp_path / "runner"),
        "DTWIN_OIDC__ISSUER": f"http://127.0.0.1:{any_free_port()}",
        "DTWIN_OIDC__CLIENT_ID": "platform",
    }
    log = tmp_path / "log"
    answers = []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "platform_ui", "serve"],
            env=environment,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(f"http://127.0.0.1:{port}", log)
            paths = ("login", "login/oidc", "health/ready", "metrics", "version", "explorer", "nothing")
            answers += [httpx2.get(f"http://127.0.0.1:{port}/{path}", timeout=60).text for path in paths]
            assert httpx2.get(f"http://localhost:{port}/login", timeout=60).status_code == 200
            evil = {"Host": "evil.example"}
            foreign = httpx2.get(f"http://127.0.0.1:{port}/login", headers=evil, timeout=60)
            assert foreign.status_code == 421
        finally:
            process.terminate()
            process.wait(timeout=60)
    written = log.read_text(errors="replace") + "".join(answers)
    assert "Log in with 127.0.0.1" in written  # the credential was found: without it the start is refused
    for name, secret in (
        hidden | {"credential": (credentials / "DTWIN_OIDC__CLIENT_SECRET").read_text()}
    ).items():
        assert secret not in written, name


def _wait(address: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{address}/health/live", timeout=10).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"the platform did not start:\n{log.read_text(errors='replace')[-3000:]}")
