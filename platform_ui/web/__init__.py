"""Rendering of pages: templates, the context every page gets, redirects with a notice.

What lives here: Jinja2 and what its templates may call, the person's theme and time zone, the places of the
site. What does not: sessions and CSRF (``browser``), the meaning of any page (each domain's ``pages``).
"""

from platform_ui.web.look import THEMES, Look, look_of
from platform_ui.web.navigation import MAIN, MORE, Place
from platform_ui.web.page import CurrentPage, Page
from platform_ui.web.rendering import STATIC, format_number, static_url, templates
from platform_ui.web.times import format_ago, format_iso, format_when

__all__ = [
    "MAIN",
    "MORE",
    "STATIC",
    "THEMES",
    "CurrentPage",
    "Look",
    "Page",
    "Place",
    "format_ago",
    "format_iso",
    "format_number",
    "format_when",
    "look_of",
    "static_url",
    "templates",
]
