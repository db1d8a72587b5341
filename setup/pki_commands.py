"""The command `dtwin pki`: the certificate authority of this home, and the credentials of its services.

What lives here: arguments, output and exit codes. What does not: signing (`platform_ui.pki`), files
(`setup.local.trust`). Credentials of client apps are issued on the platform, which keeps account of them;
what is issued here is known to nobody else.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509

from client.errors import ConfigurationError
from platform_ui.pki.authority import Authority
from platform_ui.pki.names import Identity, Kind
from platform_ui.pki.proofs import fingerprint, serial_text
from setup.errors import SetupError
from setup.local.paths import Home, home_folder
from setup.local.rotation import rotate_broker
from setup.local.secret_files import write_secret
from setup.local.state import StateFile
from setup.local.trust import BROKER, LocalTrust
from setup.services import GIVEN_BY

DEFAULT_DAYS = 30
_MAX_DAYS = 397

pki = typer.Typer(
    name="pki",
    help="The certificate authority of this machine, and what it has signed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object.")]


@pki.command()
def show(*, as_json: AsJson = False) -> None:
    """Show the authority and the certificates of the services, with their ends.

    [bold]Examples[/bold]

      dtwin pki show
      dtwin pki show --json
    """
    trust = _present_trust()
    authority = trust.authority().certificate
    services = {name: _certificate_of(trust, name) for name in _services(trust)}
    if as_json:
        found = {"authority": _facts(authority), "services": {n: _facts(c) for n, c in services.items()}}
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(f"Authority    {trust.authority_file}")
    typer.echo(f"Fingerprint  {fingerprint(authority)}")
    typer.echo(f"Until        {authority.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    for name, certificate in services.items():
        left = (certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)).days
        typer.echo(f"{name:<12} {left:>4} d left, serial number {serial_text(certificate)}")


@pki.command()
def ca(
    *,
    out: Annotated[Path | None, typer.Option(help="Write it into this file instead.")] = None,
) -> None:
    """Print the certificate of the authority: everybody who talks to the broker trusts it.

    [bold]Examples[/bold]

      dtwin pki ca
      dtwin pki ca --out ca.pem
    """
    text = _present_trust().authority().certificate_pem
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{out} cannot be written: {error}") from error


@pki.command()
def issue(
    *,
    kind: Annotated[Kind, typer.Argument(help="client, app or service.")],
    name: Annotated[str, typer.Argument(help="<system>.<client>, <system>.<app>, or the service's name.")],
    out: Annotated[Path, typer.Option(help="Folder for ca.pem, certificate.pem and key.pem.")],
    days: Annotated[int, typer.Option(min=1, max=_MAX_DAYS, help="How long it counts [d].")] = DEFAULT_DAYS,
    epoch: Annotated[int, typer.Option(min=1, help="Epoch, as the platform shows it.")] = 1,
) -> None:
    """Make a key and a certificate, for a service of your own or a test; files that are there are kept.

    The platform does not know of it: it gives access rules to client and stream apps only for certificates
    that it has issued itself.

    [bold]Examples[/bold]

      dtwin pki issue service sensorthings --out sensorthings-credentials --days 90
      dtwin pki issue client cz.icecars.CarFleet.Car1.car_1 --out car_1
    """
    try:
        identity = Identity(kind, name, epoch)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    trust = _trust()
    issued = trust.authority().issue(identity, lifetime=dt.timedelta(days=days))
    files = {
        "ca.pem": trust.authority().certificate_pem,
        "certificate.pem": issued.certificate_pem,
        "key.pem": issued.key_pem,
    }
    present = [file for file in files if (out / file).exists()]
    if present:
        raise SetupError(f"{out} holds {', '.join(present)} already: choose another folder with --out.")
    try:
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file, text in files.items():
            write_secret(out / file, text)
    except OSError as error:
        raise SetupError(f"{out} cannot be written: {error}") from error
    typer.echo(
        f"{identity.principal} until {issued.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC in {out}"
    )


@pki.command("renew-services")
def renew_services() -> None:
    """Make new certificates for all services but the broker; each shows its own from its next start on.

    The old ones stay valid until their end, so nothing has to be stopped for it.

    [bold]Examples[/bold]

      dtwin pki renew-services
    """
    trust = _trust()
    for name in _services(trust):
        if name != BROKER:
            trust.renew(name)
            typer.echo(
                f"{name:<12} until {_certificate_of(trust, name).not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            )
    typer.echo("They are shown from the next start of each service on: dtwin down, then dtwin up.")


@pki.command("rotate-broker")
def rotate() -> None:
    """Give the running broker of this machine a new certificate, without a restart.

    Open connections go on; the command returns when new ones see the new certificate.

    [bold]Examples[/bold]

      dtwin pki rotate-broker
    """
    home = _home()
    part = StateFile(home.state_file).parts().get("kafka")
    if part is None or part.is_given or not part.is_running():
        given = f" The one that {GIVEN_BY['kafka']} names is not ours to change." if part else ""
        raise SetupError(f"No broker of this home runs: start it with `dtwin up`.{given}")
    serial = rotate_broker(_trust(), part.address)
    typer.echo(f"The broker at {part.address} shows the certificate {serial:x}.")


def _home() -> Home:
    return Home(Path(home_folder()))


def _trust() -> LocalTrust:
    home = _home()
    home.create()
    return LocalTrust(home.pki, home.pki_passphrase_file)


def _present_trust() -> LocalTrust:
    """Return the authority of this home without making one: who only looks changes nothing."""
    if not Authority.exists(_home().pki):
        raise SetupError(f"There is no certificate authority in {_home().pki}: `dtwin up` makes one.")
    return _trust()


def _services(trust: LocalTrust) -> list[str]:
    """Return the services that have credentials, by name."""
    folder = trust.directory / "services"
    return sorted(path.parent.name for path in folder.glob("*/certificate.pem"))


def _certificate_of(trust: LocalTrust, name: str) -> x509.Certificate:
    file = trust.files(name).certificate
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SetupError(f"{file} cannot be read: {error}. Make it anew: dtwin pki renew-services") from error


def _facts(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "serial": serial_text(certificate),
        "fingerprint": fingerprint(certificate),
        "until": certificate.not_valid_after_utc.isoformat(),
    }
