"""Rules and configuration for Eclipse Mosquitto 2; pure.

What lives here: the texts of `mosquitto.conf` and of the file of access rules. What does not: the rules
themselves (`access`), writing files and signals (`platform_ui.mqtt_rules`).

Mosquitto takes the whole subject as user name (`use_subject_as_username`), printed as RFC 2253 says: the same
text as RFC 4514 for our subjects, whose characters need no escape.

What this broker does otherwise than one might think (2.0.11): a subscription to a foreign topic is answered
as granted, and nothing is ever delivered on it, because the rules are asked for each message. A message to a
foreign topic is acknowledged and dropped; with MQTT 5 the acknowledgement says 135 "not authorized". SIGHUP
reads rules and revoked certificates again; connections stay open, and what they may do changes at once.

Source: mosquitto.conf(5) of Mosquitto 2.0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.mqtt.rules.access import Grant, Rules

DEFAULT_PORT: Final = 8883
BRIDGE_PORT: Final = 8884
CONFIGURATION_FILE: Final = "mosquitto.conf"
RULES_FILE: Final = "rules.acl"
REVOCATIONS_FILE: Final = "revoked.pem"
AUTHORITY_FILE: Final = "ca.pem"
CERTIFICATE_FILE: Final = "certificate.pem"
KEY_FILE: Final = "key.pem"
_HEAD: Final = "# Written by `dtwin mqtt`: changes by hand are overwritten.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class MosquittoOptions:
    """What differs from one Mosquitto to the next.

    Attributes:
        folder: Where the files are on the broker's machine.
        data: Folder for its database on the broker's machine.
        pid_file: Where it writes its process id; empty for nowhere.
        host: Address that it listens on; empty for all.
        port: Port of TLS.
        with_revocations: Whether a list of revoked certificates is there.
        bridge_host: Address of the bridge's own door: reached from the broker's machine or by trusted ones.
        bridge_port: Its port.
        has_free_identifiers: Whether devices choose their client identifiers. Else the subject is the
            identifier, and each certificate has one connection at a time: where they are free, whoever may
            connect can take over anybody's session by its identifier, and what waits in it is lost.
        queued_messages: Most messages kept for one client that is away or slow.
        inflight_messages: Most messages sent to one client that it has not acknowledged yet.
    """

    folder: str
    data: str
    pid_file: str = ""
    host: str = ""
    port: int = DEFAULT_PORT
    with_revocations: bool = False
    bridge_host: str = "127.0.0.1"
    bridge_port: int = BRIDGE_PORT
    has_free_identifiers: bool = False
    queued_messages: int = 1_000_000
    inflight_messages: int = 10_000


def rules_text(rules: Rules) -> str:
    """Give the text of the file of access rules."""
    lines = [_HEAD, "# Who is not named here may do nothing.\n"]
    for subject, grant in sorted(rules.grants.items()):
        lines.append(f"\nuser {subject}\n")
        lines += _lines(grant)
    return "".join(lines)


def _lines(grant: Grant) -> Iterator[str]:
    publish, receive = set(grant.publish.all()), set(grant.subscribe.all())
    for topic in sorted(publish | receive):
        if topic in publish and topic in receive:
            yield f"topic readwrite {topic}\n"
        elif topic in publish:
            yield f"topic write {topic}\n"
        else:
            yield f"topic read {topic}\n"


def configuration_text(options: MosquittoOptions) -> str:
    """Give a whole `mosquitto.conf`: TLS with certificates of the platform's authority on both ports."""
    folder = options.folder.rstrip("/")
    door = [
        "protocol mqtt",
        f"cafile {folder}/{AUTHORITY_FILE}",
        f"certfile {folder}/{CERTIFICATE_FILE}",
        f"keyfile {folder}/{KEY_FILE}",
        "tls_version tlsv1.2",
        "require_certificate true",
        "use_subject_as_username true",
        *([f"crlfile {folder}/{REVOCATIONS_FILE}"] if options.with_revocations else []),
    ]
    lines = [
        _HEAD.rstrip(),
        "# For devices: TLS, with a certificate of the platform's authority.",
        f"listener {options.port} {options.host}".rstrip(),
        *door,
        *([] if options.has_free_identifiers else ["use_username_as_clientid true"]),
        "",
        "# For the bridge, which has several connections: not to be reached by devices.",
        f"listener {options.bridge_port} {options.bridge_host}",
        *door,
        "",
        "# Nobody without a name; the rules follow the registry: dtwin mqtt rules --follow",
        "allow_anonymous false",
        f"acl_file {folder}/{RULES_FILE}",
        *([f"pid_file {options.pid_file}"] if options.pid_file else []),
        "",
        "# Sessions, queues and retained values survive a restart; a crash loses at most this much time [s].",
        "persistence true",
        f"persistence_location {options.data.rstrip('/')}/",
        "autosave_interval 10",
        "persistent_client_expiration 14d",
        "",
        "# The standard limits (1000 and 20) would drop messages while the bridge or Kafka is away.",
        f"max_queued_messages {options.queued_messages}",
        "max_queued_bytes 0",
        f"max_inflight_messages {options.inflight_messages}",
        "max_keepalive 3600",
        "max_packet_size 1048576",
        "",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "connection_messages true",
    ]
    return "\n".join(lines) + "\n"
