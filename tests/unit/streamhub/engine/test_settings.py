from client.messaging.security import KafkaSecurity
from streamhub.engine.settings import LaneSettings, consumer_settings, producer_settings
from streamhub.specification import StreamAppSpecification

SETTINGS = LaneSettings(
    specification=StreamAppSpecification(
        name="app",
        source_system="aa.bb.cc.dd",
        target_system="ee.ff.gg.hh",
        statement="SELECT * FROM *;",
        bootstrap_servers="127.0.0.1:9092",
    ),
    security=KafkaSecurity(),
    copy=2,
)


def test_offsets_are_committed_only_by_transactions_and_only_committed_records_are_read() -> None:
    settings = consumer_settings(SETTINGS)
    assert settings["enable.auto.commit"] is False
    assert settings["isolation.level"] == "read_committed"
    assert settings["group.id"] == "aa.bb.cc.dd.app"


def test_a_copy_has_one_stable_name_for_group_and_transactions() -> None:
    assert consumer_settings(SETTINGS)["group.instance.id"] == "aa.bb.cc.dd.app.2"
    assert producer_settings(SETTINGS, 1_000_000, 1_000_000)["transactional.id"] == "aa.bb.cc.dd.app.2"


def test_batches_never_exceed_what_the_smallest_output_topic_takes() -> None:
    settings = producer_settings(SETTINGS, 50_000, 1_000_000)
    assert settings["message.max.bytes"] == 50_000 - 256
    assert settings["batch.size"] == 50_000 - 256
    assert producer_settings(SETTINGS, 10_000_000, 10_000_000)["batch.size"] == 1_000_000
    assert producer_settings(SETTINGS, 100, 100)["message.max.bytes"] == 1_000


def test_a_small_dead_letter_topic_bounds_batches_but_not_the_records_of_the_target() -> None:
    settings = producer_settings(SETTINGS, 500_000, 5_000)
    assert settings["message.max.bytes"] == 500_000 - 256
    assert settings["batch.size"] == 5_000 - 256
