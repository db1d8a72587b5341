from pathlib import Path

from client.messaging.security import KafkaSecurity
from streamhub.apps.stream_app import make_app
from streamhub.engine.settings import LaneSettings
from streamhub.specification import StreamAppSpecification


def test_the_faust_app_has_the_brokers_of_the_lane_and_opens_neither_a_kafka_client_nor_a_web_server(
    tmp_path: Path,
) -> None:
    specification = StreamAppSpecification(
        name="app",
        source_system="aa.bb.cc.dd",
        target_system="ee.ff.gg.hh",
        statement="SELECT * FROM *;",
        bootstrap_servers="127.0.0.1:9092, [::1]:9093",
    )
    app = make_app(LaneSettings(specification=specification, security=KafkaSecurity()), tmp_path)
    assert app.conf.id == "aa.bb.cc.dd.app"
    assert [(broker.host, broker.port) for broker in app.conf.broker] == [("127.0.0.1", 9092), ("::1", 9093)]
    assert app.conf.broker_credentials is None
    assert not list(app.boot_strategy.kafka_producer())
    assert not list(app.boot_strategy.kafka_consumer())
    assert app.conf.web_enabled is False
