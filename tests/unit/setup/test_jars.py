import hashlib
import json
from pathlib import Path

import pytest

from setup.errors import DownloadError
from setup.local import jars


@pytest.fixture
def two_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two small files that stand for the pinned jars."""
    paths = [tmp_path / "kafka-a.jar", tmp_path / "kafka-b.jar"]
    for path in paths:
        path.write_text(path.name)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in paths]
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("\n".join(["# comment", *lines, ""]))
    monkeypatch.setattr(jars, "_PINNED_FILE", pinned)
    return paths


def resolve_to(monkeypatch: pytest.MonkeyPatch, paths: list[Path]) -> list[int]:
    calls: list[int] = []

    def resolve(_folder: Path) -> list[Path]:
        calls.append(1)
        return paths

    monkeypatch.setattr(jars, "_resolve", resolve)
    return calls


def test_the_second_start_does_not_resolve_again(
    tmp_path: Path, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = resolve_to(monkeypatch, two_jars)
    said: list[str] = []
    first = jars.kafka_class_path(tmp_path, say=said.append)
    assert first == f"{two_jars[0]}:{two_jars[1]}"
    assert jars.kafka_class_path(tmp_path, say=said.append) == first
    assert len(calls) == 1
    assert len(said) == 1
    assert jars.jars_are_cached(tmp_path)


@pytest.mark.parametrize("damage", ["touched", "removed", "record"])
def test_a_changed_cache_is_resolved_again(
    tmp_path: Path, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    calls = resolve_to(monkeypatch, two_jars)
    jars.kafka_class_path(tmp_path)
    if damage == "touched":
        two_jars[0].touch()
    elif damage == "removed":
        content = two_jars[0].read_bytes()
        two_jars[0].unlink()
        assert not jars.jars_are_cached(tmp_path)
        two_jars[0].write_bytes(content)
    else:
        next((tmp_path / "jars").glob("*.json")).write_text("{")
    jars.kafka_class_path(tmp_path)
    assert len(calls) == 2


def test_a_file_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, two_jars)
    two_jars[1].write_text("something else")
    with pytest.raises(DownloadError, match=r"kafka-b\.jar is not the pinned file"):
        jars.kafka_class_path(tmp_path)


def test_a_missing_jar_is_named(
    tmp_path: Path, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, two_jars[:1])
    with pytest.raises(DownloadError, match=r"kafka-b\.jar"):
        jars.kafka_class_path(tmp_path)


def test_the_record_of_another_list_of_jars_does_not_count(
    tmp_path: Path, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = resolve_to(monkeypatch, two_jars)
    jars.kafka_class_path(tmp_path)
    record = next((tmp_path / "jars").glob("*.json"))
    record.write_text(json.dumps(json.loads(record.read_text())[:1]))
    jars.kafka_class_path(tmp_path)
    assert len(calls) == 2


def test_every_jar_of_the_broker_is_pinned_by_a_whole_hash() -> None:
    pinned = jars.pinned_hashes()
    assert f"kafka_2.13-{jars.KAFKA_VERSION}.jar" in pinned
    assert f"kafka-clients-{jars.KAFKA_VERSION}.jar" in pinned
    assert all(len(digest) == 64 and name.endswith(".jar") for name, digest in pinned.items())
