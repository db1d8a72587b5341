"""How somebody wants to see the site: light or dark, and in which time zone times are shown.

What lives here: the choice, kept in cookies and read before anything is sent, so that no
page flashes in another theme. What does not: the page on which it is chosen (``look_pages``), the writing of
times (``times``).
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from starlette.requests import Request
from starlette.responses import Response

from platform_ui.browser.cookies import cookie_line, cookie_name

THEME_COOKIE: Final = "dtwin_theme"
ZONE_COOKIE: Final = "dtwin_zone"
KEYS_COOKIE: Final = "dtwin_keys"
BROWSER_ZONE_COOKIE: Final = "dtwin_browser_zone"  # written by static/app.js alone
COOKIES: Final = (THEME_COOKIE, ZONE_COOKIE, KEYS_COOKIE, BROWSER_ZONE_COOKIE)
LOOK_SECONDS: Final = 365 * 24 * 3600

SYSTEM: Final = "system"
THEMES: Final = (SYSTEM, "light", "dark")
KEYS: Final = ("on", "off")
UTC_ZONE: Final = "UTC"
BROWSER_ZONE: Final = "browser"
_ZONE_NAME: Final = re.compile(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+){0,2}")


@dataclass(frozen=True, slots=True)
class Look:
    """The choice of one person.

    Attributes:
        theme: ``system``, ``light`` or ``dark``.
        choice: ``UTC``, ``browser``, or a name of the IANA time zone database.
        browser_zone: What the browser says its zone is; empty as long as it has not said so.
        keys: ``on`` or ``off``: whether single letters are shortcuts (WCAG 2.2, criterion 2.1.4).
        base_url: Where the site is, as the person's browser sees it.
    """

    theme: str = SYSTEM
    choice: str = UTC_ZONE
    browser_zone: str = ""
    keys: str = "on"
    base_url: str = ""

    @property
    def zone_name(self) -> str:
        """The zone in which times are shown; UTC as long as the browser's is not known."""
        if self.choice == BROWSER_ZONE:
            return self.browser_zone or UTC_ZONE
        return self.choice

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which times are shown."""
        return ZoneInfo(self.zone_name)


CURRENT: ContextVar[Look] = ContextVar("look", default=Look())  # noqa: B039 - it is frozen


@cache
def zone_names() -> tuple[str, ...]:
    """Return the zones that can be chosen, by name; UTC is a choice of its own."""
    kept = (name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix/")))
    return tuple(sorted(kept))


def is_zone(name: str) -> bool:
    """Return whether a text names a zone that times can be shown in."""
    if not _ZONE_NAME.fullmatch(name):  # it comes from a cookie, and a zone is a file
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def look_from(cookies: Mapping[str, str]) -> Look:
    """Return the choice that cookies hold, by their plain names; what is not understood is not chosen."""
    theme, choice = cookies.get(THEME_COOKIE, ""), cookies.get(ZONE_COOKIE, "")
    told = cookies.get(BROWSER_ZONE_COOKIE, "")
    return Look(
        theme=theme if theme in THEMES else SYSTEM,
        choice=choice if choice == BROWSER_ZONE or is_zone(choice) else UTC_ZONE,
        browser_zone=told if is_zone(told) else "",
        keys="off" if cookies.get(KEYS_COOKIE) == "off" else "on",
    )


def look_of(request: Request) -> Look:
    """Return how the person behind a request wants to see the site."""
    scheme = request.url.scheme
    kept = {name: request.cookies.get(cookie_name(name, scheme), "") for name in COOKIES}
    return replace(look_from(kept), base_url=str(request.base_url).rstrip("/"))


def keep(request: Request, response: Response, name: str, value: str) -> None:
    """Keep one choice in the browser for a year."""
    line = cookie_line(name, value, request.url.scheme, f"; Max-Age={LOOK_SECONDS}")
    response.headers.append("Set-Cookie", line)
