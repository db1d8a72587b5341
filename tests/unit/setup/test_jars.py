import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from setup.errors import DownloadError
from setup.local import jars
from setup.local.jars import ELASTICSEARCH, KAFKA, JarSet

PROGRAM = JarSet(
    "program", "The Program", "1.0", ("org.example:program:1.0",), 1, "DTWIN_HOME", Path("unset")
)


@pytest.fixture
def two_jars(tmp_path: Path) -> list[Path]:
    """Two small files that stand for the pinned jars."""
    paths = [tmp_path / "kafka-a.jar", tmp_path / "kafka-b.jar"]
    for path in paths:
        path.write_text(path.name)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in paths]
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("\n".join(["# comment", *lines, ""]))
    return paths


@pytest.fixture
def program(tmp_path: Path, two_jars: list[Path]) -> JarSet:
    """A program that is made of them."""
    return replace(PROGRAM, pinned_file=tmp_path / "pinned.txt")


def resolve_to(monkeypatch: pytest.MonkeyPatch, paths: list[Path]) -> list[int]:
    calls: list[int] = []

    def resolve(_jars: JarSet, _folder: Path) -> list[Path]:
        calls.append(1)
        return paths

    monkeypatch.setattr(jars, "_resolve", resolve)
    return calls


def test_the_second_start_does_not_resolve_again(
    tmp_path: Path, program: JarSet, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = resolve_to(monkeypatch, two_jars)
    said: list[str] = []
    first = jars.class_path(program, tmp_path, say=said.append)
    assert first == f"{two_jars[0]}:{two_jars[1]}"
    assert jars.class_path(program, tmp_path, say=said.append) == first
    assert len(calls) == 1
    assert len(said) == 1
    assert jars.jars_are_cached(program, tmp_path)


@pytest.mark.parametrize("damage", ["touched", "removed", "record"])
def test_a_changed_cache_is_resolved_again(
    tmp_path: Path, program: JarSet, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    calls = resolve_to(monkeypatch, two_jars)
    jars.class_path(program, tmp_path)
    if damage == "touched":
        two_jars[0].touch()
    elif damage == "removed":
        content = two_jars[0].read_bytes()
        two_jars[0].unlink()
        assert not jars.jars_are_cached(program, tmp_path)
        two_jars[0].write_bytes(content)
    else:
        next((tmp_path / "jars").glob("*.json")).write_text("{")
    jars.class_path(program, tmp_path)
    assert len(calls) == 2


def test_a_file_that_is_not_the_pinned_one_is_refused(
    tmp_path: Path, program: JarSet, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, two_jars)
    two_jars[1].write_text("something else")
    with pytest.raises(DownloadError, match=r"kafka-b\.jar is not the pinned file"):
        jars.class_path(program, tmp_path)


def test_a_missing_jar_is_named(
    tmp_path: Path, program: JarSet, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, two_jars[:1])
    with pytest.raises(DownloadError, match=r"kafka-b\.jar"):
        jars.class_path(program, tmp_path)


def test_the_record_of_another_list_of_jars_does_not_count(
    tmp_path: Path, program: JarSet, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = resolve_to(monkeypatch, two_jars)
    jars.class_path(program, tmp_path)
    record = next((tmp_path / "jars").glob("*.json"))
    record.write_text(json.dumps(json.loads(record.read_text())[:1]))
    jars.class_path(program, tmp_path)
    assert len(calls) == 2


def test_two_programs_share_a_cache_and_nothing_else(
    tmp_path: Path, program: JarSet, two_jars: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, two_jars)
    jars.class_path(program, tmp_path)
    assert not jars.jars_are_cached(replace(program, name="other"), tmp_path)
    assert not jars.jars_are_cached(replace(program, version="2.0"), tmp_path)


@pytest.mark.parametrize(
    ("program", "names"),
    [
        (KAFKA, (f"kafka_2.13-{KAFKA.version}.jar", f"kafka-clients-{KAFKA.version}.jar")),
        (ELASTICSEARCH, (f"elasticsearch-{ELASTICSEARCH.version}.jar", "log4j-core-2.24.3.jar")),
    ],
    ids=["kafka", "elasticsearch"],
)
def test_every_jar_is_pinned_by_a_whole_hash(program: JarSet, names: tuple[str, ...]) -> None:
    pinned = jars.pinned_hashes(program)
    assert set(names) <= set(pinned)
    assert all(len(digest) == 64 and name.endswith(".jar") for name, digest in pinned.items())
    assert [name for name in pinned if name.startswith("log4j-core")] == ["log4j-core-2.24.3.jar"]
