"""What a service in Java that has ended while starting leaves its user with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from setup.errors import PartNotReadyError
from setup.local.elasticsearch import LocalElasticsearch
from setup.local.kafka import LocalKafka

Part = LocalElasticsearch | LocalKafka


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Elasticsearch", lambda folder: LocalElasticsearch(folder, 9200)),
        ("Kafka", lambda folder: LocalKafka(folder, 9092, controller_port=9093, is_protected=False)),
    ],
)
def test_the_error_names_the_log_and_its_causes_without_java_s_stack_frames(
    name: str, make: Callable[[Path], Part], tmp_path: Path
) -> None:
    part = make(tmp_path)
    part.log_file.write_text("WARNING: old\nCaused by: no space\n\tat java.io.File\n", encoding="utf-8")
    with pytest.raises(PartNotReadyError) as caught:
        part.wait_ready(10)
    assert str(caught.value) == (
        f"{name} ended while starting. Its log {part.log_file} ends:\nCaused by: no space"
    )
