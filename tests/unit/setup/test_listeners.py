from setup.local.listeners import KafkaListeners


def test_broker_and_clients_are_told_the_same_port_and_protection() -> None:
    listeners = KafkaListeners(9092, 9093, protocol="SSL")
    properties = listeners.broker_properties()
    assert "CLIENTS://127.0.0.1:9092" in properties["listeners"]
    assert "CLIENTS:SSL" in properties["listener.security.protocol.map"]
    assert listeners.client_settings() == {"bootstrap.servers": "127.0.0.1:9092", "security.protocol": "SSL"}
    assert listeners.client_environment() == {
        "DTWIN_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9092",
        "DTWIN_KAFKA__SECURITY_PROTOCOL": "SSL",
    }


def test_nothing_listens_beyond_loopback() -> None:
    listeners = KafkaListeners(9092, 9093).broker_properties()["listeners"]
    assert all(listener.partition("://")[2].startswith("127.0.0.1:") for listener in listeners.split(","))
