from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from client.errors import EnrolmentError
from client.messaging.security import KafkaSecurity
from client.renewal import CertificateWatch


class Connections:
    """What the watch reopens; refuses on demand."""

    def __init__(self) -> None:
        self.reopened = 0
        self.is_busy = False
        self.error: KafkaException | None = None

    def __call__(self, timeout_s: float) -> bool:
        assert timeout_s > 0
        if self.error is not None:
            raise self.error
        self.reopened += not self.is_busy
        return not self.is_busy


@pytest.fixture
def connections() -> Connections:
    return Connections()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    for name in ("certificate.pem", "key.pem"):
        (tmp_path / name).write_text("first")
    return tmp_path / "certificate.pem"


def watch(
    certificate: Path, connections: Connections, renew: Callable[[], None] | None = None
) -> CertificateWatch:
    security = KafkaSecurity(
        protocol="SSL", certificate_file=certificate, key_file=certificate.with_name("key.pem")
    )
    return CertificateWatch(security, connections, 60, renew)


def test_connections_are_made_anew_once_after_the_files_changed(
    certificate: Path, connections: Connections
) -> None:
    watching = watch(certificate, connections)
    watching.look()
    assert connections.reopened == 0
    certificate.write_text("second")
    watching.look()
    watching.look()
    assert connections.reopened == 1


def test_a_renewal_is_taken_into_use_at_once(certificate: Path, connections: Connections) -> None:
    def renew() -> None:
        certificate.write_text("renewed")

    watch(certificate, connections, renew).look()
    assert connections.reopened == 1


def test_connections_that_are_busy_or_refuse_half_replaced_files_are_tried_again(
    certificate: Path, connections: Connections
) -> None:
    watching = watch(certificate, connections)
    certificate.write_text("second")
    connections.error = KafkaException(KafkaError(KafkaError._INVALID_ARG, "key does not fit"))
    watching.look()
    connections.error, connections.is_busy = None, True
    watching.look()
    assert connections.reopened == 0
    connections.is_busy = False
    watching.look()
    assert connections.reopened == 1


def test_a_refused_renewal_and_missing_files_leave_connections_as_they_are(
    certificate: Path, connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise EnrolmentError("revoked")

    watching = watch(certificate, connections, refuse)
    certificate.unlink()
    watching.look()
    assert connections.reopened == 0
    assert "revoked" in caplog.text
    assert "cannot be read" in caplog.text


def test_without_a_certificate_there_is_nothing_to_watch(connections: Connections) -> None:
    watching = CertificateWatch(KafkaSecurity(), connections, 0.001)
    watching.start()
    watching.stop()
    assert connections.reopened == 0
