"""The commands `dtwin mqtt rules` and `configuration`: a Mosquitto that follows the registry.

What lives here: arguments, output and exit codes, and where the registry of this machine is. What does not:
the rules (`adapters.mqtt.rules`), files and signals (`platform_ui.mqtt_rules`), the bridge (`adapters.mqtt`).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import httpx2
import typer
from cryptography import x509
from sqlalchemy.exc import SQLAlchemyError

from adapters.mqtt.rules.mosquitto import (
    AUTHORITY_FILE,
    BRIDGE_PORT,
    CERTIFICATE_FILE,
    CONFIGURATION_FILE,
    DEFAULT_PORT,
    KEY_FILE,
    REVOCATIONS_FILE,
    MosquittoOptions,
    configuration_text,
    rules_text,
)
from platform_ui.errors import BrokerError
from platform_ui.mqtt_rules.files import RuleFiles, reload_broker
from platform_ui.mqtt_rules.following import Sources, follow, read_once
from platform_ui.pki.authority import Authority, service_of
from platform_ui.setting_values import secret_of
from setup.errors import PartNotReadyError, SetupError
from setup.local.paths import Home, home_folder
from setup.local.ports import LOOPBACK
from setup.local.secret_files import write_secret
from setup.local.trust import MQTT_BROKER, LocalTrust

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
V = TypeVar("V")

CERTIFICATE_DAYS: Final = 90
_RENEW_BEFORE: Final = dt.timedelta(days=30)
_FOLDER: Final = Path("/etc/mosquitto/dtwin")
_DATA: Final = Path("/var/lib/mosquitto")
_PID_FILE: Final = "mosquitto.pid"

mqtt = typer.Typer(
    name="mqtt",
    help="Give an MQTT broker rules and certificates that follow what is registered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
_log = logging.getLogger(__name__)


@mqtt.command()
def rules(
    *,
    output: Annotated[Path | None, typer.Option(help="Write the files into this folder instead.")] = None,
    keep: Annotated[bool, typer.Option("--follow", help="Go on, and write them after each change.")] = False,
    pid_file: Annotated[
        Path | None, typer.Option(help="File with Mosquitto's process id: it is told of changes (SIGHUP).")
    ] = None,
) -> None:
    """Show who may do what, as Mosquitto reads it; or keep its files fresh.

    The list of revoked certificates is written, too, where the authority is at hand: DTWIN_PKI__DIRECTORY and
    DTWIN_PKI__PASSPHRASE, or the local stack.

    [bold]Examples[/bold]

      dtwin mqtt rules
      dtwin mqtt rules --follow --output /etc/mosquitto/dtwin --pid-file /var/lib/mosquitto/mosquitto.pid
    """
    if output is None and (keep or pid_file is not None):
        raise typer.BadParameter("say where the files are", param_hint="--output")
    sources = _sources()
    if output is None:
        typer.echo(rules_text(_reading(read_once(sources)).rules), nl=False)
        return
    files = RuleFiles(_folder(output), _authority())
    if keep:
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
        _log.setLevel(logging.INFO)
        asyncio.run(_follow(sources, files, pid_file))
        return
    _write(files.write, _reading(read_once(sources)))
    if pid_file is not None:
        _reload(pid_file)


@mqtt.command()
def configuration(
    *,
    output: Annotated[Path, typer.Option(help="Folder for all files.")],
    host: Annotated[
        list[str] | None, typer.Option(help="Name or address by which clients reach it; repeatable.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of TLS.")] = DEFAULT_PORT,
    bind: Annotated[str, typer.Option(help="Address that it listens on; all when left out.")] = "",
    folder: Annotated[Path, typer.Option(help="Where the files will be on the broker's machine.")] = _FOLDER,
    data: Annotated[Path, typer.Option(help="Where it keeps sessions and queues.")] = _DATA,
    pid_file: Annotated[
        Path | None, typer.Option(help="Where it writes its process id; mosquitto.pid beside its sessions.")
    ] = None,
    bridge_bind: Annotated[str, typer.Option(help="Address of the bridge's own port.")] = LOOPBACK,
    bridge_port: Annotated[int, typer.Option(min=1, max=65535, help="The bridge's own port.")] = BRIDGE_PORT,
    free_identifiers: Annotated[
        bool,
        typer.Option(
            "--free-identifiers",
            help="Let a certificate have many connections; whoever may connect can take over any session.",
        ),
    ] = False,
) -> None:
    """Write all that a Mosquitto needs: configuration, rules, revoked certificates, certificate and key.

    Certificate and key are made with --host; those that are there, name all hosts and last are kept.

    [bold]Examples[/bold]

      dtwin mqtt configuration --output dtwin-mqtt --host mqtt.example.org
      dtwin mqtt configuration --output /tmp/m --folder /tmp/m --data /tmp/m --host localhost --port 18883
    """
    authority, target = _authority(), _folder(output)
    options = MosquittoOptions(
        folder=str(folder),
        data=str(data),
        pid_file=str(pid_file or data / _PID_FILE),
        host=bind,
        port=port,
        bridge_host=bridge_bind,
        bridge_port=bridge_port,
        with_revocations=authority is not None,
        has_free_identifiers=free_identifiers,
    )
    state = _reading(read_once(_sources()))
    _write(RuleFiles(target, authority).write, state)
    _write((target / CONFIGURATION_FILE).write_text, configuration_text(options))
    made = [CONFIGURATION_FILE, "rules.acl"]
    if authority is not None:
        _write((target / AUTHORITY_FILE).write_text, authority.certificate_pem)
        made += [AUTHORITY_FILE, REVOCATIONS_FILE]
        made += _make_certificate(
            authority, target, list(dict.fromkeys((*host, bridge_bind))) if host else []
        )
    typer.echo(f"{', '.join(made)} in {target}")
    _say_next(target, folder)


def _say_next(target: Path, folder: Path) -> None:
    """Say what is still to do before the broker can start."""
    needed = (AUTHORITY_FILE, CERTIFICATE_FILE, KEY_FILE)
    missing = [name for name in needed if not (target / name).exists()]
    if missing:
        typer.echo(f"Put {', '.join(missing)} beside them, or name the broker with --host.")
    start = f"mosquitto -c {folder}/{CONFIGURATION_FILE}"
    if target.absolute() == folder:
        typer.echo(f"Start it, as a user who may read {folder}/{KEY_FILE}: {start}")
    else:
        typer.echo(f"Copy them to {folder} on the broker's machine, and start: {start}")


async def _follow(sources: Sources, files: RuleFiles, pid_file: Path | None) -> None:
    async for state in follow(sources):
        if not files.write(state):
            continue
        _log.info("rules of %d participants written", len(state.rules.grants))
        if pid_file is None:
            continue
        try:
            reload_broker(pid_file)
        except BrokerError as error:
            # It reads the files when it starts; the next change tries again.
            _log.warning("%s %s", error.detail, error.hint)


def _make_certificate(authority: Authority, target: Path, hosts: list[str]) -> list[str]:
    """Make certificate and key of the broker where they are asked for, and those there are do not last."""
    if not hosts or _lasts(authority, target, hosts):
        return []
    issued = authority.issue(
        service_of(MQTT_BROKER), lifetime=dt.timedelta(days=CERTIFICATE_DAYS), hosts=hosts
    )
    try:
        write_secret(target / KEY_FILE, issued.key_pem)
        (target / CERTIFICATE_FILE).write_text(issued.certificate_pem, encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{target} cannot be written: {error}") from error
    return [CERTIFICATE_FILE, KEY_FILE]


def _lasts(authority: Authority, target: Path, hosts: list[str]) -> bool:
    """Tell whether the certificate that is there is good for all hosts, and for some time."""
    try:
        certificate = x509.load_pem_x509_certificate((target / CERTIFICATE_FILE).read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    named = {str(name.value) for name in names}
    left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
    is_good = named.issuperset(hosts) and left > _RENEW_BEFORE and authority.has_signed(certificate)
    return is_good and (target / KEY_FILE).exists()


def _authority() -> Authority | None:
    """Open the authority that the environment names, or that of the local stack; None where there is none."""
    directory = os.environ.get("DTWIN_PKI__DIRECTORY", "").strip()
    if directory:
        return Authority.open(Path(directory), secret_of(os.environ, "DTWIN_PKI__PASSPHRASE"))
    home = Home(Path(home_folder()))
    return LocalTrust(home.pki, home.pki_passphrase_file).authority() if Authority.exists(home.pki) else None


def _sources() -> Sources:
    return Sources.from_environment(os.environ)


def _reading(work: Coroutine[object, object, T]) -> T:
    try:
        return asyncio.run(work)
    except SQLAlchemyError as error:
        raise PartNotReadyError(
            f"The platform's database cannot be used: {error}. Check DTWIN_PLATFORM__DATABASE_URL, or start "
            "the local stack with: dtwin up"
        ) from error
    except (httpx2.HTTPError, ValueError) as error:
        raise PartNotReadyError(
            f"The SensorThings service cannot be asked for Datastreams: {error}. Check "
            "DTWIN_SENSORTHINGS__URL and DTWIN_SENSORTHINGS__TOKEN."
        ) from error


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"{path} cannot be made: {error}") from error
    return path


def _reload(pid_file: Path) -> None:
    try:
        reload_broker(pid_file)
    except BrokerError as error:
        raise SetupError(f"{error.detail}. {error.hint}") from error


def _write(write: Callable[[V], object], content: V) -> None:
    try:
        write(content)
    except OSError as error:
        raise SetupError(f"The files cannot be written: {error}") from error
