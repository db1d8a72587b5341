"""A group of commands, some of which live in rooms that are imported only when they are used.

`dtwin --help` stays quick, and works where an extra is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer.main
from typer.core import TyperGroup

from setup.errors import PartMissingError

if TYPE_CHECKING:
    from typer._click import Command, Context  # the base classes of TyperGroup's signatures


@dataclass(frozen=True, slots=True)
class Mount:
    """A command that another room provides.

    Attributes:
        module: Where it is defined.
        attribute: Name of the typer application in that module, or of a function that makes it by its name.
        help: What `dtwin --help` says of it.
        needs: Packages that must be installed, and the extra that brings them.
        prepare: Module of this room whose `fill_environment` is called first; empty for none.
        panel: Heading in `dtwin --help`; empty for the first one.
    """

    module: str
    attribute: str
    help: str
    needs: tuple[tuple[str, ...], str]
    prepare: str = ""
    panel: str = ""


ON_A_PLATFORM = "On a platform, here or elsewhere"
_REMOTE = {
    "login": "Log in to a platform and remember it.",
    "logout": "Forget the token of a platform.",
    "whoami": "Say as whom commands act, and where.",
    "profile": "The platforms that you have logged in to.",
    "config": "Which platform commands ask, and why.",
    "company": "Companies, their people and invitations.",
    "system": "Systems, their people, invitations and reports.",
    "client": "Client apps, their certificates, tokens and reports.",
    "contract": "Agreements of two systems: request, sign, compare, revoke.",
    "app": "Stream apps: run and check them here, or on a platform.",
    "offer": "What others may ask for, and what you let them ask for.",
    "thing": "Things of a system.",
    "datastream": "Datastreams of a system, and what they measured.",
    "instances": "Instances files: get, compare, apply.",
    "topic": "Records of a system, as they come or from the past.",
    "flows": "Show what flows, and what needs you.",
    "search": "Find what you may see, by words.",
    "why": "Say why somebody may do something, or what is missing.",
    "lineage": "Where records come from and where they go.",
    "certificate": "Certificates of your client apps and of the services.",
    "audit": "Who did what, and when.",
    "account": "Your own account.",
    "token": "Tokens that you made by hand.",
    "invitation": "Accept an invitation.",
    "authority": "Show the certificate authority of the platform.",
    "platform": "How the platform itself is, for its operators.",
    "export": "Write what you may see as documents.",
    "plan": "Show what would make the platform as documents say.",
    "apply": "Make the platform as documents say.",
}


MOUNTS = {
    "query": Mount(
        "streamhub.commands",
        "query",
        "Try a statement on recorded data, without a broker.",
        (("lark", "msgspec"), "streamhub"),
    ),
    "acl": Mount(
        "platform_ui.acls.commands",
        "acl",
        "Bring the broker's access rules to what is registered; show drift.",
        (("aiokafka", "sqlalchemy", "psycopg", "fastapi"), "platform"),
        prepare="setup.acl_commands",
    ),
    "explain": Mount(
        "setup.explain_commands",
        "explain",
        "Say why somebody may do something, or the smallest thing that is missing.",
        (("sqlalchemy", "psycopg", "fastapi"), "platform"),
        prepare="setup.acl_commands",
    ),
    "recorder": Mount(
        "adapters.observation_store.commands",
        "recorder",
        "Record what all systems send, once each; replay it.",
        (("msgspec", "psycopg", "psutil"), "platform"),
        prepare="setup.recording",
    ),
    "mqtt": Mount(
        "setup.mqtt_commands",
        "mqtt",
        "Give an MQTT broker rules and certificates that follow what is registered.",
        (("sqlalchemy", "psycopg", "fastapi", "psutil"), "platform"),
        prepare="setup.acl_commands",
    ),
    "bridge": Mount(
        "setup.bridge_commands",
        "bridge",
        "Join an MQTT broker to Kafka, both ways.",
        (("paho", "msgspec", "prometheus_client", "psutil"), "mqtt"),
        prepare="setup.bridge_commands",
    ),
    "sink": Mount(
        "setup.sink_commands",
        "sink",
        "Copy the records of a system to Elasticsearch, once each.",
        (("elasticsearch", "orjson", "msgspec", "psutil"), "elasticsearch"),
        prepare="setup.sink_commands",
    ),
    "pki": Mount(
        "setup.pki_commands",
        "pki",
        "Show and renew the certificates of this machine; rotate the broker's without a restart.",
        (("confluent_kafka", "cryptography", "psutil", "psycopg"), "local"),
    ),
    "proxy": Mount(
        "setup.proxy_commands",
        "proxy",
        "Put one TLS port in front of platform and SensorThings (nginx).",
        (("cryptography", "jinja2", "psutil"), "local"),
    ),
    "notebook": Mount(
        "setup.notebook.commands",
        "notebook",
        "Open JupyterLab, connected: frames of what was measured.",
        (("jupyterlab", "ipykernel", "matplotlib", "pandas", "pyarrow", "psutil"), "analytics"),
    ),
    "provision": Mount(
        "setup.provision_commands",
        "provision",
        "Write files for Grafana, Kibana and Prometheus, made of what is registered.",
        (("yaml",), "command"),
        panel=ON_A_PLATFORM,
    ),
    **{
        name: Mount(
            "setup.remote.nouns", "load", said, (("yaml", "jsonschema_rs"), "command"), panel=ON_A_PLATFORM
        )
        for name, said in _REMOTE.items()
    },
}


class LazyGroup(TyperGroup):
    """The commands of this room, and the mounted ones of others."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return all names, mounted ones included."""
        return [*super().list_commands(ctx), *MOUNTS]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return a command; for a mounted one a stand-in with its help, which is all a listing needs."""
        mount = MOUNTS.get(cmd_name)
        if mount is None:
            return super().get_command(ctx, cmd_name)
        return typer.core.TyperCommand(cmd_name, help=mount.help, rich_help_panel=mount.panel or None)

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Return the command to run; this is where a mounted room is imported."""
        if args and args[0] in MOUNTS:
            return args[0], _load(args[0]), args[1:]
        return super().resolve_command(ctx, args)


def _load(name: str) -> Command:
    mount = MOUNTS[name]
    packages, extra = mount.needs
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing or importlib.util.find_spec(mount.module) is None:
        raise PartMissingError(f"`dtwin {name}` needs more: pip install 'digital-twin-stack[{extra}]'.")
    if mount.prepare:
        importlib.import_module(mount.prepare).fill_environment()
    loaded = getattr(importlib.import_module(mount.module), mount.attribute)
    return typer.main.get_command(loaded if isinstance(loaded, typer.Typer) else loaded(name))
