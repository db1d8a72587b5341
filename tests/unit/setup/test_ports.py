"""Claims of ports that nobody listens on yet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from setup.errors import SetupError
from setup.local import ports
from setup.local.ports import PortClaims, free_port_from


@pytest.fixture(autouse=True)
def listening(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Ports that somebody listens on."""
    found: set[int] = set()
    monkeypatch.setattr(ports, "is_free", lambda port: port not in found)
    return found


def test_two_stacks_that_start_at_once_choose_different_ports(tmp_path: Path) -> None:
    first, second = PortClaims(tmp_path), PortClaims(tmp_path)
    assert free_port_from(9095, (), first) == 9095
    assert free_port_from(9095, {9096}, second) == 9097
    assert free_port_from(9095, (), first) == 9095, "its own claims are no hindrance"


def test_a_claim_ends_with_the_program_that_made_it(tmp_path: Path) -> None:
    first, second = PortClaims(tmp_path / "made"), PortClaims(tmp_path / "made")
    assert free_port_from(9095, (), first) == 9095
    del first
    assert free_port_from(9095, (), second) == 9095


def test_a_port_that_is_in_use_is_not_claimed(tmp_path: Path, listening: set[int]) -> None:
    listening.add(9095)
    first, second = PortClaims(tmp_path), PortClaims(tmp_path)
    assert free_port_from(9095, (), first) == 9096
    listening.clear()
    assert free_port_from(9095, (), second) == 9095


def test_ports_are_found_where_no_claim_can_be_made(tmp_path: Path, listening: set[int]) -> None:
    (tmp_path / "file").touch()
    listening.add(9095)
    assert free_port_from(9095, (), PortClaims(tmp_path / "file" / "ports")) == 9096


ASKING = """
import sys
from setup.local import ports
ports._UNASKED = range(20_000, 20_004)
ports.is_free = lambda port: port < 20_003
print(*sorted(ports.any_free_port() for _ in range(int(sys.argv[1]))), flush=True)
sys.stdin.read()
"""


def asking(number: int, cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ASKING, str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    )


def test_ports_for_servers_that_are_still_to_start_are_given_once_in_all_programs(tmp_path: Path) -> None:
    with asking(2, tmp_path) as first, asking(1, tmp_path) as other:
        assert first.stdout is not None
        assert other.stdout is not None
        given = first.stdout.readline().split() + other.stdout.readline().split()
        with asking(1, tmp_path) as late:
            _, said = late.communicate("")
        first.communicate("")
        other.communicate("")
    assert sorted(given) == ["20000", "20001", "20002"]
    assert "No free port between 20000 and 20199 on 127.0.0.1" in said
    with asking(3, tmp_path) as again:
        found, _ = again.communicate("")
    assert found.split() == ["20000", "20001", "20002"]


def test_no_port_at_all_is_said(tmp_path: Path, listening: set[int]) -> None:
    listening.update(range(9000, 9300))
    with pytest.raises(SetupError, match="No free port between 9095 and 9294"):
        free_port_from(9095, (), PortClaims(tmp_path))
