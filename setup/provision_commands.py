"""The commands of `dtwin provision`: files for Grafana, Kibana and Prometheus, made of what is registered.

What lives here: options and what is printed. What does not: the files (`setup.provisioning`).
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from setup.local.paths import Home, home_folder
from setup.local.ports import LOOPBACK
from setup.local.state import StateFile
from setup.provisioning.files import EVERYTHING, Drift, Files, compare, read_earlier, write
from setup.provisioning.grafana import DASHBOARDS, Addresses, grafana_files, with_others
from setup.provisioning.grafana import KIND as GRAFANA
from setup.provisioning.kibana import KIND as KIBANA
from setup.provisioning.kibana import kibana_files
from setup.provisioning.panels import Source
from setup.provisioning.prometheus import KIND as PROMETHEUS
from setup.provisioning.prometheus import Targets, prometheus_files
from setup.provisioning.registry import SystemFiles, read_systems
from setup.provisioning.scope import Scope
from setup.provisioning.targets import found_targets
from setup.remote.commands import ProfileOption, UrlOption
from setup.remote.configuration import configure
from setup.remote.connection import Connection
from setup.remote.errors import PENDING, UsageError
from setup.remote.profiles import ProfileFile
from setup.services import PLATFORM_PORT, SENSORTHINGS_PORT

_PLATFORM: Final = f"http://{LOOPBACK}:{PLATFORM_PORT}"
_SENSORTHINGS: Final = f"http://{LOOPBACK}:{SENSORTHINGS_PORT}"
_VERSION: Final = "/v1.1"
_PORTS: Final = {"http": 80, "https": 443}

provision = typer.Typer(
    name="provision",
    help="Write files for Grafana, Kibana and Prometheus, made of what is registered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

FolderOption = Annotated[Path, typer.Option("--output", help="Folder of the files.")]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Write nothing; exit code 3 when the files are not as they should be.")
]
SystemsOption = Annotated[
    list[str] | None, typer.Option("--system", help="Only this system, several times; files of others stay.")
]
CompaniesOption = Annotated[
    list[str] | None, typer.Option("--company", help="Only systems of this company, several times.")
]
SensorThingsOption = Annotated[
    str,
    typer.Option(
        "--sensorthings-url",
        envvar="DTWIN_SENSORTHINGS__URL",
        help="The SensorThings service, as the tool reaches it.",
    ),
]


@provision.command()
def grafana(
    *,
    output: FolderOption,
    check: CheckOption = False,
    system: SystemsOption = None,
    company: CompaniesOption = None,
    source: Annotated[
        Source, typer.Option("--source", help="Where the numbers of Datastreams come from.")
    ] = Source.SENSORTHINGS,
    sensorthings_url: SensorThingsOption = _SENSORTHINGS,
    elasticsearch_url: Annotated[
        str,
        typer.Option(
            "--elasticsearch-url", envvar="DTWIN_ELASTICSEARCH__URL", help="As Grafana reaches it, if at all."
        ),
    ] = "",
    prometheus_url: Annotated[
        str, typer.Option("--prometheus-url", help="As Grafana reaches it, if at all.")
    ] = "",
    dashboards_folder: Annotated[
        str, typer.Option("--dashboards-folder", help="Where Grafana sees dashboards/dtwin of the output.")
    ] = DASHBOARDS,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Write data sources, dashboard providers and a dashboard for each system.

    Tokens and passwords are not in the files: Grafana takes SENSORTHINGS_TOKEN,
    ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD from its own environment.

    [bold]Examples[/bold]

      dtwin provision grafana --output grafana
      dtwin provision grafana --output grafana --system cz.icecars.Fleet.Car1 --prometheus-url http://127.0.0.1:9090
      dtwin provision grafana --output grafana --source elasticsearch --elasticsearch-url https://search:9200
      dtwin provision grafana --output grafana --check
    """
    if source is Source.ELASTICSEARCH and not elasticsearch_url:
        raise UsageError(
            "--source elasticsearch needs an address: give --elasticsearch-url, or DTWIN_ELASTICSEARCH__URL."
        )
    for address in (sensorthings_url, elasticsearch_url, prometheus_url):
        _refuse_secret(address)
    addresses = Addresses(
        sensorthings_url.rstrip("/") + _VERSION, elasticsearch_url, prometheus_url, dashboards_folder
    )
    scope = Scope(system or (), company or ())
    files = with_others(
        grafana_files(_systems(scope, url, profile), addresses, source), partial(read_earlier, output), scope
    )
    _bring(output, files, GRAFANA, scope, check=check)


@provision.command()
def kibana(
    *,
    output: FolderOption,
    check: CheckOption = False,
    system: SystemsOption = None,
    company: CompaniesOption = None,
    url: UrlOption = "",
    profile: ProfileOption = "",
) -> None:
    """Write saved objects for each system: a data view, visualisations, a dashboard (NDJSON).

    [bold]Examples[/bold]

      dtwin provision kibana --output kibana
      dtwin provision kibana --output kibana --company cz.icecars --check
    """
    scope = Scope(system or (), company or ())
    _bring(output, kibana_files(_systems(scope, url, profile)), KIBANA, scope, check=check)


@provision.command()
def prometheus(
    *,
    output: FolderOption,
    check: CheckOption = False,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            help="host:port of another runner, app, recorder, bridge or sink with a --metrics-port; "
            "several times.",
        ),
    ] = None,
    platform_url: Annotated[
        str,
        typer.Option(
            "--platform-url", envvar="DTWIN_PLATFORM__URL", help="The platform, as Prometheus reaches it."
        ),
    ] = "",
    sensorthings_url: Annotated[
        str,
        typer.Option(
            "--sensorthings-url",
            envvar="DTWIN_SENSORTHINGS__URL",
            help="The SensorThings service, as Prometheus reaches it.",
        ),
    ] = "",
) -> None:
    """Write what Prometheus asks for figures, and when it raises an alarm; needs no platform.

    What `dtwin up` has started on this machine is found, with the runner of all stream apps, the recorder and
    the MQTT bridge; name by --target what runs elsewhere.

    [bold]Examples[/bold]

      dtwin provision prometheus --output prometheus
      dtwin provision prometheus --output prometheus --target 10.0.0.7:9098 --target 10.0.0.8:9098
    """
    found = found_targets(StateFile(Home(Path(home_folder())).state_file).parts())
    platform, sensorthings = (
        platform_url or found.platform or _PLATFORM,
        sensorthings_url or found.sensorthings or _SENSORTHINGS,
    )
    targets = Targets(
        _host(platform),
        _host(sensorthings),
        tuple(sorted({*found.pages, *(target or ())})),
        urlsplit(platform).scheme,
        urlsplit(sensorthings).scheme,
    )
    _bring(output, prometheus_files(targets), PROMETHEUS, EVERYTHING, check=check)


def _systems(scope: Scope, url: str, profile: str) -> list[SystemFiles]:
    file = ProfileFile()
    with Connection(configure(file, url=url, profile=profile, environment=os.environ), file) as connection:
        return read_systems(connection, systems=tuple(scope.systems), companies=tuple(scope.companies))


def _refuse_secret(url: str) -> None:
    """Refuse an address that would put a password into a file that everybody may read.

    Raises:
        UsageError: There is one in it.
    """
    if "@" in urlsplit(url).netloc:
        raise UsageError(
            f"The address of {urlsplit(url).hostname} has a user in it, and would be in a file for all. "
            "Leave it out, and give Grafana ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD."
        )


def _host(url: str) -> str:
    """Return host and port of an address.

    Raises:
        UsageError: It is none.
    """
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in _PORTS:
        raise UsageError(f"{url!r} is no address. Write it as http://host:port.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or _PORTS[parts.scheme]}"


def _bring(folder: Path, files: Files, kind: str, scope: Scope, *, check: bool) -> None:
    drift = (compare if check else write)(folder, files, kind, scope)
    for sign, paths in (("+", drift.missing), ("~", drift.changed), ("-", drift.surplus)):
        for path in paths:
            typer.echo(f"{sign} {folder / path}")
    typer.echo(_told(folder, files, drift, check=check))
    if check and not drift.is_none:
        raise typer.Exit(PENDING)


def _told(folder: Path, files: Files, drift: Drift, *, check: bool) -> str:
    if drift.is_none:
        return f"All {len(files)} files in {folder} are as they should be."
    number = len(drift.missing) + len(drift.changed) + len(drift.surplus)
    if check:
        return f"{number} of {folder} differ; without --check they are written."
    return f"{number} of {len(files)} files in {folder} were brought up to date."
