import os
from pathlib import Path

import pytest

from setup.local.postgres import LocalPostgres, database_url, libpq_url


@pytest.mark.parametrize(
    ("maintenance", "expected"),
    [
        (
            "postgresql://postgres@/postgres?host=%2Frun%2Fpg",
            "postgresql+psycopg://postgres@/platform?host=%2Frun%2Fpg",
        ),
        ("postgresql://u:p%40ss@db:5433/postgres", "postgresql+psycopg://u:p%40ss@db:5433/platform"),
        (
            "postgresql+psycopg://u@db/postgres?sslmode=require",
            "postgresql+psycopg://u@db/platform?sslmode=require",
        ),
        ("postgresql://u@db", "postgresql+psycopg://u@db/platform"),
    ],
)
def test_another_database_on_the_same_server_keeps_everything_else_of_the_url(
    maintenance: str, expected: str
) -> None:
    assert database_url(maintenance, "platform") == expected


def test_libpq_is_not_told_the_driver_of_sqlalchemy() -> None:
    assert libpq_url("postgresql+psycopg://u@db/x") == "postgresql://u@db/x"
    assert libpq_url("postgresql://u@db/x") == "postgresql://u@db/x"


def test_a_long_path_gets_a_short_socket_folder(tmp_path: Path) -> None:
    server = LocalPostgres(tmp_path / ("long" * 30) / "postgres")
    assert len(os.fsencode(server.socket_folder / ".s.PGSQL.5432")) < 104


def test_the_server_never_gets_a_network_port(tmp_path: Path) -> None:
    url = LocalPostgres(tmp_path / "postgres").url("platform", driver="psycopg")
    assert url.startswith("postgresql+psycopg://postgres@/platform?host=%2F")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_data_in_a_folder_that_is_closed_to_the_servers_user_is_kept_elsewhere(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not LocalPostgres(closed / "postgres").folder.is_relative_to(closed)
    assert closed.stat().st_mode & 0o077 == 0, "the folder must stay closed"
