"""Passwords: hashing them, and which new ones are taken.

What lives here: rules without a database. What does not: whose password it is (``service``).

At least 12 characters, no rule about which ones, nothing that people choose most, nothing made of the
person's own names. Source: NIST SP 800-63B-4, clause 3.1.1.2 "Password Verifiers"; OWASP ASVS 5.0, 6.2.
"""

import asyncio
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Final

from pwdlib import PasswordHash

MIN_PASSWORD: Final = 12
MAX_PASSWORD: Final = 128
MIN_CONTEXT: Final = 4  # shorter names are part of many good passwords
OWN_WORDS: Final = ("dtwin", "digitaltwin", "digital twin", "digitaltwinstack", "digital twin stack")
_NOT_LETTERS: Final = re.compile(r"^[^a-z]+|[^a-z]+$")
_LOOKALIKES: Final = str.maketrans("013457@$!", "oieastasi")


@cache
def _hasher() -> PasswordHash:
    return PasswordHash.recommended()


@cache
def _decoy() -> str:
    """The hash that is checked for an unknown address, so that it takes as long as a known one."""
    return _hasher().hash("nobody has this password")


@cache
def _common() -> frozenset[str]:
    text = resources.files("platform_ui.accounts").joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


async def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, computed beside the event loop."""
    return await asyncio.to_thread(_hasher().hash, password)


async def is_password(password: str, known: str | None) -> bool:
    """Return whether a password has a hash; takes as long for no hash (nobody), which none has."""
    matches = await asyncio.to_thread(_hasher().verify, password, known or _decoy())
    return matches and known is not None


def weakness(password: str, context: Iterable[str] = ()) -> str:
    """Return why a new password is not taken, as a sentence for the person, or an empty text.

    Args:
        password: of a length that the form has checked.
        context: words that belong to the person, such as names and the e-mail address.
    """
    word = password.lower()
    cores = {word, _unit(word), *(_NOT_LETTERS.sub("", text) for text in (word, word.translate(_LOOKALIKES)))}
    cores |= {_unit(core) for core in cores}
    if len(_unit(word)) < MIN_CONTEXT or _is_run(word):
        return "This repeats or counts up: choose something that is harder to guess."
    if cores & _common():
        return "Many people use this or something like it: choose something that is harder to guess."
    own = {part for text in (*context, *OWN_WORDS) for part in (text.lower(), *text.lower().split("@")[:1])}
    if cores & {part for part in own if len(part) >= MIN_CONTEXT}:
        return "This is made of your own names: choose something that is harder to guess."
    return ""


def _unit(text: str) -> str:
    """Return what a text repeats, itself when nothing."""
    period = (text + text).find(text, 1)
    return text[:period] if text else text


def _is_run(text: str) -> bool:
    """Return whether nearly every character follows or repeats the one before it, as in ``abcdefgh1234``."""
    near = sum(abs(ord(right) - ord(left)) <= 1 for left, right in pairwise(text))
    return near >= len(text) * 3 // 4
