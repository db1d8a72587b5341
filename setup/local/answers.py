"""Does a part answer?

Requests to health pages, to a broker, a database, Elasticsearch and an MQTT broker, for `up`, `status` and
`doctor`.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from adapters.mqtt.progress import read_figures
from adapters.mqtt.settings import connection_from
from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity

_SETUP_CODE = re.compile(r"setup code: ([0-9a-f-]+)")
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        ready: Whether the part can do its work now.
        detail: What it said, or why there was no answer; one line.
    """

    ready: bool
    detail: str


def ask_health(address: str, timeout_s: float = 3.0) -> Answer:
    """Ask `ADDRESS/health/ready`.

    Args:
        address: `http://host:port` of the service.
        timeout_s: Largest wait for an answer [s].
    """
    url = f"{address.rstrip('/')}/health/ready"
    try:
        with _DIRECT.open(url, timeout=timeout_s) as answer:
            return Answer(answer.status == http.HTTPStatus.OK, f"HTTP {answer.status}")
    except urllib.error.HTTPError as error:
        return Answer(ready=False, detail=f"HTTP {error.code} {_body(error)}".strip())
    except (OSError, http.client.HTTPException) as error:
        return Answer(ready=False, detail=str(getattr(error, "reason", error)))


def setup_code(log: Path, address: str, timeout_s: float = 10.0) -> str:
    """Return the code by which the first person sets the platform up; empty when it asks for none.

    Args:
        log: Log of the platform, where the code stands.
        address: `http://host:port` of the platform.
        timeout_s: Largest wait for an answer [s].
    """
    try:
        with _DIRECT.open(f"{address.rstrip('/')}/api/v1/setup", timeout=timeout_s) as answer:
            told = json.load(answer)
        text = log.read_text(encoding="utf-8", errors="replace") if told.get("needs_code") else ""
    except (OSError, ValueError, http.client.HTTPException):
        return ""
    codes = _SETUP_CODE.findall(text)
    return codes[-1] if codes else ""


def ask_broker(bootstrap_servers: str, environment: dict[str, str], timeout_s: float = 5.0) -> Answer:
    """Ask a broker for its list of topics, with the credentials of the environment.

    Args:
        bootstrap_servers: `host:port`, several with commas.
        environment: Where `DTWIN_KAFKA__...` settings of protection are read from.
        timeout_s: Largest wait for an answer [s].
    """
    try:
        names = topic_names(bootstrap_servers, environment, timeout_s)
    except (KafkaException, ConfigurationError) as error:
        return Answer(ready=False, detail=str(error))
    return Answer(ready=True, detail="1 topic" if len(names) == 1 else f"{len(names)} topics")


def ask_elasticsearch(url: str, environment: Mapping[str, str], timeout_s: float = 3.0) -> Answer:
    """Ask Elasticsearch (or OpenSearch) who it is and whether it can search all that it holds.

    Args:
        url: `http(s)://host:port`; not repeated in the answer, it may hold a password.
        environment: Where `DTWIN_ELASTICSEARCH__...` settings of access are read from.
        timeout_s: Largest wait for an answer [s].
    """
    try:
        from elastic_transport import TransportError  # noqa: PLC0415 (an extra)
        from elasticsearch import ApiError  # noqa: PLC0415 (same)

        from adapters.elasticsearch.connection import (  # noqa: PLC0415 (same)
            ElasticsearchAddress,
            connect,
        )
    except ImportError:
        return Answer(ready=False, detail="pip install 'digital-twin-stack[elasticsearch]' to reach it")
    try:
        address = ElasticsearchAddress.from_environment(environment, url)
        with connect(address, timeout_s=timeout_s) as client:
            version = client.info()["version"]["number"]
            state = client.cluster.health(local=True)["status"]
    except ConfigurationError as error:
        return Answer(ready=False, detail=str(error))
    except ApiError as error:
        return Answer(ready=False, detail=f"HTTP {error.meta.status}")
    except TransportError as error:
        return Answer(ready=False, detail=str(error.message))
    return Answer(ready=state in {"green", "yellow"}, detail=f"{version}, {state}")


def ask_mqtt(url: str, environment: Mapping[str, str], timeout_s: float = 3.0) -> Answer:
    """Ask an MQTT broker for a connection, with the certificate of the environment; nothing is published.

    Args:
        url: `mqtts://host:port`.
        environment: Where `DTWIN_MQTT__...` settings of access are read from.
        timeout_s: Largest wait for an answer [s].
    """
    try:
        found = connection_from({**environment, "DTWIN_MQTT__URL": url})
        with socket.create_connection((found.host, found.port), timeout=timeout_s) as plain:
            context = found.tls_context()
            if context is not None:
                context.wrap_socket(plain, server_hostname=found.host).close()
    except ConfigurationError as error:
        return Answer(ready=False, detail=str(error))
    except OSError as error:
        return Answer(ready=False, detail=str(error))
    return Answer(ready=True, detail="")


def ask_bridge(progress_file: Path) -> Answer:
    """Ask the bridge between MQTT and Kafka, by what it wrote last, whether it is connected.

    Args:
        progress_file: Where it writes its progress.
    """
    figures = read_figures(progress_file)
    detail = "; ".join(figures.get("troubles", ())) or "not connected"
    is_connected = bool(figures.get("is_connected"))
    return Answer(ready=is_connected, detail="" if is_connected else detail)


def ask_database(url: str, timeout_s: int = 3) -> Answer:
    """Ask a database server for an answer to a query.

    Args:
        url: libpq URL of a database; not repeated in the answer, it may hold a password.
        timeout_s: Largest wait for a connection [s].
    """
    try:
        with psycopg.connect(url, connect_timeout=timeout_s) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return Answer(ready=False, detail=type(error).__name__)
    return Answer(ready=True, detail="")


def topic_names(bootstrap_servers: str, environment: dict[str, str], timeout_s: float = 5.0) -> list[str]:
    """Return the topics of a broker, without its internal ones, sorted.

    Raises:
        KafkaException: no answer.
        ConfigurationError: a setting of protection is wrong.
    """
    security = KafkaSecurity.from_environment(environment).to_librdkafka()
    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap_servers,
        "log_level": 0,
        **security,
    }
    topics = AdminClient(settings).list_topics(timeout=timeout_s).topics
    return sorted(name for name in topics if not name.startswith("__"))


def _body(error: urllib.error.HTTPError) -> str:
    text = error.read(2000).decode("utf-8", "replace")
    try:
        content = json.loads(text)
    except ValueError:
        return text[:200]
    return json.dumps(content)[:300]
