"""What an operator does for people from the command line, on a real database."""

import asyncio
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from typer.testing import CliRunner

from platform_ui.__main__ import command
from platform_ui.accounts.models import PasswordReset, User
from tests.integration.platform_ui.doubles import Browser

MakeBrowser = Callable[[], Browser]
Word = Callable[[], str]


@pytest.fixture
def operator(platform_database: str) -> Callable[..., str]:
    """Run a command against the database of the tests; return what it prints."""
    environment = {
        "DTWIN_PLATFORM__DATABASE_URL": platform_database,
        "DTWIN_PLATFORM__URL": "https://twin.example.org",
    }

    def run(*words: str, status: int = 0) -> str:
        result = CliRunner().invoke(command, list(words), env=environment)
        assert result.exit_code == status, result.output
        return result.output

    return run


async def test_a_link_for_a_new_password_is_printed_and_works(
    new_browser: MakeBrowser, word: Word, operator: Callable[..., str], site: FastAPI
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    printed = await asyncio.to_thread(operator, "reset-password", email.upper())
    assert printed.startswith("https://twin.example.org/reset/")
    page = printed.strip().removeprefix("https://twin.example.org")
    answer = await browser.add(page, password="four kettles sing", confirm="four kettles sing")
    assert answer.url.path == "/login"
    async with site.state.sessions() as session:
        left = select(PasswordReset).join(User, User.id == PasswordReset.user_id).where(User.email == email)
        assert (await session.scalars(left)).all() == []


async def test_an_account_is_disabled_and_enabled(
    new_browser: MakeBrowser, word: Word, operator: Callable[..., str]
) -> None:
    browser = new_browser()
    email = await browser.sign_up(word())
    await asyncio.to_thread(operator, "disable-account", email)
    assert (await browser.get("/dashboard")).url.path == "/login"
    await asyncio.to_thread(operator, "enable-account", email)
    answer = await browser.post("/login", email=email, password="a long password")
    assert answer.url.path == "/dashboard"


async def test_an_unknown_address_is_named(operator: Callable[..., str]) -> None:
    printed = await asyncio.to_thread(operator, "disable-account", "nobody@example.com", status=1)
    assert "Nobody has an account as nobody@example.com" in printed
