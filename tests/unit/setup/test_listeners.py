from pathlib import Path

from setup.local.listeners import BrokerProtection, KafkaListeners

PROTECTION = BrokerProtection(Path("/srv/pki/keystore.pem"), Path("/srv/pki/ca.pem"))


def test_a_protected_broker_asks_everybody_for_a_certificate_and_allows_nothing_by_itself() -> None:
    properties = KafkaListeners(9092, 9093, PROTECTION).broker_properties()
    assert "CLIENTS://127.0.0.1:9092" in properties["listeners"]
    assert properties["listener.security.protocol.map"] == "CLIENTS:SSL,CONTROLLER:SSL"
    assert properties["ssl.client.auth"] == "required"
    assert properties["authorizer.class.name"].endswith("StandardAuthorizer")
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert set(properties["super.users"].split(";")) == {
        "User:service.broker",
        "User:service.operator",
        "User:service.platform",
    }


def test_whoever_shows_a_certificate_of_another_form_is_powerless() -> None:
    rules = KafkaListeners(9092, 9093, PROTECTION).broker_properties()["ssl.principal.mapping.rules"]
    assert rules.endswith("RULE:^.*$/nobody/")
    assert "DEFAULT" not in rules


def test_nothing_listens_beyond_loopback() -> None:
    for protection in (None, PROTECTION):
        listeners = KafkaListeners(9092, 9093, protection).broker_properties()["listeners"]
        assert all(listener.partition("://")[2].startswith("127.0.0.1:") for listener in listeners.split(","))
