"""The templates, and what they may call.

What lives here: Jinja2, addresses of static files, numbers for people. What does not: what every page is told
(``page``), times (``times``).
"""

import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from platform_ui.web.look import CURRENT
from platform_ui.web.navigation import MAIN, MORE, section_of
from platform_ui.web.times import format_ago, format_iso, format_when, format_written

STATIC = Path(__file__).parents[1] / "static"


@cache
def _static_version(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static_url(name: str) -> str:
    """Return the address of one of our files; it changes with the content, so browsers may keep it."""
    return f"/static/{name}?v={_static_version(name)}"


def format_number(value: float | None) -> str:
    """Return a count with thin groups of three digits, or a dash for nothing."""
    if value is None:
        return "–"  # noqa: RUF001 - an en dash is what is meant
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


def site_url() -> str:
    """Return where the site is, as the browser of the present page sees it."""
    return CURRENT.get().base_url


@cache
def templates() -> Environment:
    """Return the templates; a name that a page did not give is an error, never an empty text."""
    environment = Environment(
        loader=PackageLoader("platform_ui", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        static_url=static_url, site_url=site_url, section_of=section_of, places=MAIN, more_places=MORE
    )
    environment.filters.update(
        when=format_when, ago=format_ago, iso=format_iso, written=format_written, number=format_number
    )
    return environment
