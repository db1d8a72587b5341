"""Looking at the parts of the platform: each is asked once, with a time limit, and a finding says how it is.

What lives here: what is asked of each part, and what its refusal means. What does not: when (``watch``),
parts beside the platform (``companions``), and figures that need no asking (``findings``). A check never
fails: what goes wrong is its finding.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import httpx2
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from client.errors import DigitalTwinError
from client.version import product_version
from platform_ui import db, mail
from platform_ui.acls.keeper import AclKeeper
from platform_ui.broker import TopicAdministrator
from platform_ui.db import VERSION_TABLE, Sessions, now
from platform_ui.errors import PlatformError
from platform_ui.operations.companions import BROKER_HINT, companion_checks
from platform_ui.operations.findings import Finding, Level, judge_authority, judge_clock, judge_disk
from platform_ui.pki.authority import Authority
from platform_ui.setting_values import Mode
from platform_ui.settings import PlatformSettings

TIMEOUT_S: Final = 6.0
MAIL_TIMEOUT_S: Final = 12.0
_MIGRATIONS: Final = Path(db.__file__).parent / "migrations" / "versions"
_Check = Callable[[], Awaitable[Finding]]


class Alive(Protocol):
    """What is asked of the runner of stream apps."""

    def is_alive(self) -> bool:
        """Whether a runner looks after its folder."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the platform is made of, as far as it is looked at.

    Attributes:
        settings: What the operator wants.
        sessions: The platform's database.
        topics: The broker.
        rules: Who keeps the broker's access rules; nothing where nobody does.
        runner: The runner of stream apps.
        authority: The certificate authority; nothing where there is none.
        client: Makes a client for HTTP; replaced in tests.
    """

    settings: PlatformSettings
    sessions: Sessions
    topics: TopicAdministrator
    rules: AclKeeper | None
    runner: Alive
    authority: Authority | None
    client: Callable[[], httpx2.AsyncClient] = lambda: httpx2.AsyncClient(timeout=TIMEOUT_S)


async def look(parts: Parts) -> list[Finding]:
    """Look at everything at the same time; in the order in which people think of it."""
    checks: tuple[tuple[str, str, _Check], ...] = (
        ("platform", "Platform", lambda: _platform(parts.settings)),
        ("database", "Database", lambda: _database(parts)),
        ("kafka", "Kafka", lambda: _kafka(parts)),
        ("access_rules", "Access rules in Kafka", lambda: _rules(parts.rules)),
        ("sensorthings", "SensorThings", lambda: _sensorthings(parts)),
        ("runner", "Runner of stream apps", lambda: _runner(parts)),
        *companion_checks(parts.settings.parts),
        ("authority", "Certificate authority", lambda: _authority(parts.authority)),
        ("mail", "Mail", lambda: _mail(parts.settings)),
        ("clock", "Clock", lambda: _clock(parts.sessions)),
    )
    of_database = [one for one in checks if one[0] in _IN_TURN]
    others = [one for one in checks if one[0] not in _IN_TURN]
    in_turn, at_once, disks = await asyncio.gather(
        _in_turn(of_database),
        asyncio.gather(*(_tried(*one) for one in others)),
        asyncio.to_thread(_disks, parts.settings),
    )
    found = {one.part: one for one in (*in_turn, *at_once)}
    return [*(found[part] for part, _, _ in checks), *disks]


async def _in_turn(checks: Sequence[tuple[str, str, _Check]]) -> list[Finding]:
    """Check one after the other: a full pool of connections must not be made to wait for itself."""
    return [await _tried(*one) for one in checks]


async def _tried(part: str, name: str, check: _Check) -> Finding:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(MAIL_TIMEOUT_S if part == "mail" else TIMEOUT_S):
            finding = await check()
    except TimeoutError:
        return Finding(part, name, Level.FAILED, "It does not answer in time.", _HINTS.get(part, ""))
    except (DigitalTwinError, SQLAlchemyError, httpx2.HTTPError, OSError, ValueError) as error:
        hint = getattr(error, "hint", "") or _HINTS.get(part, "")
        return Finding(part, name, Level.FAILED, _said(error), hint)
    if part in _ASKED:
        finding = replace(finding, latency_ms=(time.perf_counter() - began) * 1000)
    return finding


_ASKED: Final = frozenset({"database", "kafka", "sensorthings"})
_IN_TURN: Final = frozenset({"database", "clock"})
_HINTS: Final = {
    "database": "Start PostgreSQL, and see that DTWIN_PLATFORM__DATABASE_URL names it.",
    "kafka": "Start Kafka, and see that DTWIN_KAFKA__BOOTSTRAP_SERVERS names it; with TLS, that "
    "DTWIN_KAFKA__SSL_CA_FILE is the certificate of its authority.",
    "sensorthings": "Start it (python -m sensorthings serve), and see that DTWIN_SENSORTHINGS__URL names it.",
    "mail": "See that DTWIN_MAIL__URL names a server that takes mails from here.",
    "mqtt_broker": BROKER_HINT,
    "clock": "It is compared with the database's: start PostgreSQL.",
}


def _said(error: Exception) -> str:
    if isinstance(error, PlatformError):
        return error.detail
    if isinstance(error, SQLAlchemyError):
        # Its own text would show the statement, and with it what people typed.
        return f"It does not answer: {type(error).__name__}."
    return f"It does not answer: {error}" if str(error) else f"It does not answer: {type(error).__name__}."


async def _platform(settings: PlatformSettings) -> Finding:
    is_demo = settings.mode is Mode.DEMO
    is_open = settings.url.startswith("https://") or settings.host in {"127.0.0.1", "localhost", "::1"}
    finding = Finding("platform", "Platform", Level.OK, "Production, with a secret key of its own.")
    if is_demo:
        finding = replace(
            finding,
            level=Level.WARNING,
            says="Demonstration: its accounts have a known password.",
            hint="For real data, start with DTWIN_PLATFORM__MODE=production and an empty database.",
        )
    elif not is_open:
        finding = replace(
            finding,
            level=Level.WARNING,
            says="Passwords may travel unprotected: no https address is set.",
            hint="Put a proxy with a certificate in front, and name its address in DTWIN_PLATFORM__URL.",
        )
    return replace(finding, version=product_version())


@cache
def newest_migration() -> str:
    """Return the newest version of the tables that this program knows: the one that none builds on."""
    texts = [path.read_text(encoding="utf-8") for path in _MIGRATIONS.glob("*.py")]
    made = {found for text_ in texts for found in re.findall(r'^revision = "(\w+)"', text_, re.MULTILINE)}
    built_on = {
        found for text_ in texts for found in re.findall(r'^down_revision = "(\w+)"', text_, re.MULTILINE)
    }
    return max(made - built_on, default="")


async def _database(parts: Parts) -> Finding:
    async with parts.sessions() as session:
        version = str(await session.scalar(text("SHOW server_version")))
        present = str(await session.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}")))  # noqa: S608
    newest = newest_migration()
    finding = Finding(
        "database", "Database", Level.OK, f"PostgreSQL answers; its tables are at version {present}."
    )
    if present != newest:
        finding = replace(
            finding,
            level=Level.FAILED,
            says=f"Its tables are at version {present}; this program needs {newest}.",
            hint="Bring them there: python -m platform_ui migrate.",
        )
    return replace(finding, version=f"PostgreSQL {version.partition(' ')[0]}")


async def _kafka(parts: Parts) -> Finding:
    brokers = await asyncio.to_thread(parts.topics.check)
    servers, security = parts.settings.kafka_bootstrap_servers, parts.settings.security
    count = "1 broker answers" if brokers == 1 else f"{brokers} brokers answer"
    if security.uses_tls:
        return Finding("kafka", "Kafka", Level.OK, f"{count} at {servers}, encrypted ({security.protocol}).")
    return Finding(
        "kafka",
        "Kafka",
        Level.WARNING,
        f"{count} at {servers}, without encryption ({security.protocol}).",
        "Give the brokers certificates and set DTWIN_KAFKA__SECURITY_PROTOCOL=SSL: without, everybody on "
        "the network can read and write records.",
    )


async def _rules(keeper: AclKeeper | None) -> Finding:
    part, name = "access_rules", "Access rules in Kafka"
    if keeper is None:
        return Finding(part, name, Level.OFF, "This platform keeps no access rules.")
    pulse = keeper.pulse
    if pulse.is_failing:
        return Finding(part, name, Level.FAILED, pulse.error, "See docs/how-to/operate-access-rules.md.")
    if pulse.succeeded_at is None:
        return Finding(part, name, Level.WARNING, "They have not been compared yet: wait a few seconds.")
    return Finding(part, name, Level.OK, "Kept by this platform; Kafka enforces them.")


async def _sensorthings(parts: Parts) -> Finding:
    url = parts.settings.sensorthings_url
    async with parts.client() as client:
        answer = await client.get(f"{url}/v1.1")
        told = await client.get(f"{url}/version")
    version = ""
    if told.is_success and "json" in told.headers.get("content-type", ""):
        version = str(told.json().get("version", ""))
    level = Level.OK if answer.status_code < httpx2.codes.INTERNAL_SERVER_ERROR else Level.FAILED
    says = f"It answers at {url}." if level is Level.OK else f"{url} answers {answer.status_code}."
    hint = "" if level is Level.OK else "Look into its log, and at its database."
    if level is Level.OK and not parts.settings.sensorthings_token:
        level, says = Level.WARNING, f"{says} The platform does not administer who may read it."
        hint = "Set DTWIN_SENSORTHINGS__TOKEN to its admin token."
    return Finding("sensorthings", "SensorThings", level, says, hint, version)


async def _runner(parts: Parts) -> Finding:
    folder = parts.settings.runner_directory
    if await asyncio.to_thread(parts.runner.is_alive):
        return Finding("runner", "Runner of stream apps", Level.OK, f"It looks after {folder}.")
    return Finding(
        "runner",
        "Runner of stream apps",
        Level.FAILED,
        f"No runner looks after {folder}: no stream app is started, stopped or watched.",
        f"Start it: python -m streamhub runner --directory {folder}",
    )


async def _authority(authority: Authority | None) -> Finding:
    if authority is None:
        return Finding(
            "authority",
            "Certificate authority",
            Level.OFF,
            "This platform issues no certificates.",
            "Set DTWIN_PKI__DIRECTORY and DTWIN_PKI__PASSPHRASE; dtwin pki init makes an authority.",
        )
    return judge_authority(authority.certificate.not_valid_after_utc, now())


async def _mail(settings: PlatformSettings) -> Finding:
    if settings.mail is None:
        return Finding(
            "mail",
            "Mail",
            Level.OFF,
            "No mail is sent: people who forget their password need an operator.",
            "Set DTWIN_MAIL__URL and DTWIN_MAIL__FROM.",
        )
    await mail.greet(settings.mail)
    return Finding("mail", "Mail", Level.OK, f"{settings.mail.host}:{settings.mail.port} takes mails.")


async def _clock(sessions: Sessions) -> Finding:
    async with sessions() as session:
        await session.execute(select(1))  # connecting takes time, which would count as a difference
        before = now()
        theirs = await session.scalar(select(func.clock_timestamp()))
        after = now()
    if theirs is None:
        raise OSError("the database tells no time")
    return judge_clock((before + (after - before) / 2 - theirs).total_seconds())


def _disks(settings: PlatformSettings) -> list[Finding]:
    """Judge each disk once, under the name of the first folder of ours on it."""
    folders = [("disk_apps", "stream apps", settings.runner_directory)]
    if settings.pki_directory is not None:
        folders.append(("disk_authority", "the authority", settings.pki_directory))
    found: dict[int, Finding] = {}
    for part, name, folder in folders:
        place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        device = place.stat().st_dev
        if device not in found:
            usage = shutil.disk_usage(place)
            found[device] = judge_disk(part, name, place, usage.total, usage.free)
    return list(found.values())
