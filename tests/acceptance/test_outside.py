"""What answers on this machine while the demo runs: nothing beyond loopback, and Kafka only by TLS."""

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator

import psutil
import pytest

from tests.acceptance.demo import Demo

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.slow]


def listening(demo: Demo) -> Iterator[tuple[str, str, int]]:
    """Give part, address and port of every TCP socket on which a process of the demo listens."""
    parts = json.loads((demo.home / "state.json").read_text(encoding="utf-8"))["parts"]
    for part in parts:
        if part["pid"] is None:
            continue
        process = psutil.Process(part["pid"])
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):  # an app that has ended since
                for connection in one.net_connections("inet"):
                    if connection.status == psutil.CONN_LISTEN:
                        yield part["name"], connection.laddr.ip, connection.laddr.port


def test_nothing_of_the_stack_listens_beyond_loopback(demo: Demo) -> None:
    found = list(listening(demo))
    assert {name for name, _, _ in found} >= {"kafka", "platform", "sensorthings"}
    assert [one for one in found if one[1] not in {"127.0.0.1", "::1", "::ffff:127.0.0.1"}] == []
    # Another address of this machine is what somebody outside would have to use.
    for _, _, port in found:
        with pytest.raises(OSError, match=r"refused|unreachable"):
            socket.create_connection(("127.0.0.2", port), timeout=2)


def answers_a_stranger(port: int, context: ssl.SSLContext) -> bool:
    """Tell whether a listener says anything to somebody without a certificate."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
                secure.sendall(b"\x00\x00\x00\x04ping")
                # TLS 1.3: the refusal of a client without a certificate comes with the first answer.
                return secure.recv(1) != b""
        except (ssl.SSLError, ConnectionError):
            return False


def test_every_listener_of_kafka_speaks_tls_and_wants_a_certificate_of_ours(demo: Demo) -> None:
    ports = [port for name, _, port in listening(demo) if name == "kafka"]
    assert len(ports) >= 2, "clients and controller"
    context = ssl.create_default_context(cafile=str(demo.home / "pki" / "ca.pem"))
    assert [port for port in ports if answers_a_stranger(port, context)] == []
