"""The audit of dependencies: what it believes, and what it says when it could not ask."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from setup import audit

HOUR_S = 3600.0
CLEAN = {"dependencies": [{"name": "a", "version": "1", "vulns": []}]}
FAULT = {"id": "CVE-1", "fix_versions": ["2"]}
VULNERABLE = {"dependencies": [{"name": "a", "version": "1", "vulns": [FAULT]}]}
UNKNOWN = {"dependencies": [{"name": "a", "skip_reason": "not found"}]}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DTWIN_CHECKS__AUDIT", raising=False)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "dev.txt"
    path.write_text("a==1\n", encoding="utf-8")
    return path


class Index:
    """An index that knows the vulnerable release, and says something about the lock."""

    def __init__(self, about_lock: dict[str, Any] | None, about_known: dict[str, Any] | None = None) -> None:
        self.asked: list[str] = []
        self._about_lock = about_lock
        self._about_known = VULNERABLE if about_known is None else about_known

    def __call__(self, requirements: Path) -> dict[str, Any] | None:
        self.asked.append(requirements.read_text(encoding="utf-8").strip())
        return self._about_known if self.asked[-1] == audit.KNOWN_VULNERABLE else self._about_lock


Audit = Callable[..., bool]


def made(lock: Path, index: Index, *, is_required: bool = True, now: float | None = None) -> bool:
    at = lock.stat().st_mtime if now is None else now
    return audit.audit(lock, lock.parent, index, is_required, at)


def test_a_lock_without_known_vulnerabilities_passes_and_is_not_asked_for_again_that_day(lock: Path) -> None:
    index = Index(CLEAN)
    assert made(lock, index)
    asked = len(index.asked)
    assert made(lock, index)
    assert len(index.asked) == asked
    assert made(lock, index, now=lock.stat().st_mtime + 25 * HOUR_S)
    assert len(index.asked) > asked


def test_a_changed_lock_is_asked_for_at_once(lock: Path) -> None:
    index = Index(CLEAN)
    assert made(lock, index)
    asked = len(index.asked)
    lock.write_text("a==2\n", encoding="utf-8")
    assert made(lock, index)
    assert len(index.asked) > asked


def test_a_vulnerability_fails_everywhere_and_names_the_release_that_mends_it(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not made(lock, Index(VULNERABLE), is_required=False)
    assert "a 1: CVE-1, mended in 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    "index", [Index(CLEAN, UNKNOWN), Index(CLEAN, CLEAN), Index(None), Index(UNKNOWN)], ids=range(4)
)
@pytest.mark.parametrize("is_required", [True, False])
def test_an_audit_that_could_not_be_made_is_never_taken_for_a_clean_one(
    lock: Path, capsys: pytest.CaptureFixture[str], index: Index, *, is_required: bool
) -> None:
    assert made(lock, index, is_required=is_required) is not is_required
    assert "NOT AUDITED" in capsys.readouterr().err
    assert not (lock.parent / "audit.key").exists()


def test_whoever_turns_it_off_is_told_so(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DTWIN_CHECKS__AUDIT", "off")
    assert made(lock, Index(None))
    assert "left out" in capsys.readouterr().out


def test_a_bill_of_the_same_environment_is_kept(tmp_path: Path) -> None:
    (tmp_path / "sbom.cdx.json").write_text(json.dumps({"components": []}), encoding="utf-8")
    (tmp_path / "sbom.key").write_text("same", encoding="utf-8")
    assert audit.write_bill(tmp_path, "same")


def test_a_bill_that_breaks_the_schema_is_refused() -> None:
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
    assert audit.schema_faults(bill) == []
    assert audit.schema_faults(bill | {"components": [{"type": "no such type", "name": "a"}]})
    assert audit.schema_faults(bill | {"components": [{"type": "library", "name": "a", "hashes": [{}]}]})


def test_the_fingerprint_changes_with_the_lock(lock: Path) -> None:
    before = audit.fingerprint(lock)
    lock.write_text("a==2\n", encoding="utf-8")
    assert audit.fingerprint(lock) != before
