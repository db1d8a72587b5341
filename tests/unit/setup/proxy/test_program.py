"""Finding nginx, with programs that only say a version."""

from pathlib import Path

import pytest

from setup.errors import DownloadError, PartMissingError
from setup.proxy import program
from setup.proxy.program import fetch_nginx, find_nginx


@pytest.fixture(autouse=True)
def _no_system_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_SYSTEM_PLACES", ())


def put(path: Path, text: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{text}' >&2\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def surroundings(folder: Path) -> dict[str, str]:
    return {"PATH": str(folder / "bin"), "XDG_CACHE_HOME": str(folder / "cache")}


def test_nginx_on_the_path_comes_before_the_cache(tmp_path: Path) -> None:
    cached = put(tmp_path / "cache/dtwin/nginx/usr/sbin/nginx", "nginx version: nginx/1.22.1")
    assert find_nginx(surroundings(tmp_path)).path == cached
    own = put(tmp_path / "bin/nginx", "nginx version: nginx/1.28.0 (Ubuntu)")
    found = find_nginx(surroundings(tmp_path))
    assert (found.path, found.version) == (own, (1, 28, 0))


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("nginx version: nginx/1.18.0", 0, "is older than 1.22"),
        ("error while loading shared libraries", 127, "does not run"),
        ("nginx version: nginx/1.28.0", 1, "does not run"),
        ("something else", 0, "does not run"),
    ],
)
def test_an_nginx_that_will_not_do_is_passed_over(tmp_path: Path, text: str, code: int, reason: str) -> None:
    put(tmp_path / "bin/nginx", text, code)
    with pytest.raises(PartMissingError, match=reason):
        find_nginx(surroundings(tmp_path))
    cached = put(tmp_path / "cache/dtwin/nginx/usr/sbin/nginx", "nginx version: nginx/1.22.1")
    assert find_nginx(surroundings(tmp_path)).path == cached


def test_what_to_do_without_nginx_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get either
    with pytest.raises(PartMissingError, match="apt install nginx; or without being root: dtwin proxy fetch"):
        fetch_nginx(surroundings(tmp_path))


def test_a_package_that_cannot_be_fetched_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "tools/apt-get", "E: Unable to locate package nginx", 100)
    put(tmp_path / "tools/dpkg-deb", "never called", 1)
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}:/usr/bin:/bin")
    with pytest.raises(DownloadError, match="Unable to locate package nginx"):
        fetch_nginx(surroundings(tmp_path))
    assert [path.name for path in (tmp_path / "cache/dtwin").iterdir()] == ["nginx.lock"]
