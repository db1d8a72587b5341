"""Writing packets of MQTT: what is written is read as it was meant."""

import pytest

from adapters.mqtt.local_broker import reading, writing
from adapters.mqtt.local_broker.packets import V5, V311, Publish


@pytest.mark.parametrize("level", [V311, V5])
def test_what_is_written_is_read_again(level: int) -> None:
    message = Publish("t/ü", b"\x00\xff" * 300, 1, is_again=True, identifier=65_535, properties=b"")
    (packet,) = reading.split(bytearray(writing.publish(message, level)))
    assert reading.read_publish(packet, level) == message
