"""Which new passwords are taken."""

import pytest

from platform_ui.accounts.passwords import hash_password, is_password, weakness

OWN = ("sue.smith@example.com", "Sue", "Smith", "Sue Smith")


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Baseball2024!",
        "P@ssw0rd1234",
        "passwordpassword",
        "qwertyuiop12",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "abcdefghijkl",
        "123456789012",
        "sue.smith2024",
        "Sue Smith 1985",
        "digitaltwin2026",
    ],
)
def test_what_is_easy_to_guess_is_refused_with_a_reason(password: str) -> None:
    assert "harder to guess" in weakness(password, OWN)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "four kettles sing",
        "ヴァイオリンが三つあります",
        "x7!kQ-2pLw_9",
        "smithereens of glass",
    ],
)
def test_other_passwords_are_taken_without_rules_about_characters(password: str) -> None:
    assert weakness(password, OWN) == ""


async def test_only_the_right_password_has_the_hash_and_nobody_has_none() -> None:
    known = await hash_password("correct horse battery")
    assert known.startswith("$argon2id$")
    assert await is_password("correct horse battery", known)
    assert not await is_password("correct horse batterY", known)
    assert not await is_password("nobody has this password", None)
