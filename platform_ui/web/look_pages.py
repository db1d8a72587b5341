"""The page on which somebody chooses how the site looks, and the buttons of every page's header.

What lives here: two routes, open to visitors too. What does not: what the choice means (``look``).
"""

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.errors import FormError
from platform_ui.web.look import (
    BROWSER_ZONE,
    KEYS,
    KEYS_COOKIE,
    THEME_COOKIE,
    THEMES,
    ZONE_COOKIE,
    is_zone,
    keep,
    look_of,
    zone_names,
)
from platform_ui.web.page import CurrentPage

router = APIRouter(include_in_schema=False)


@router.get("/look")
async def show_look(page: CurrentPage) -> Response:
    """Show all themes and time zones."""
    back = _own(page.request.query_params.get("next", "/"))
    return page.render("look.html", zones=zone_names(), themes=THEMES, back=back)


@router.post("/look")
async def change_look(page: CurrentPage) -> Response:
    """Keep what was chosen in the browser, and go back; what was not sent stays as it was.

    Raises:
        FormError: there is no such choice.
    """
    form = await page.form()
    look = look_of(page.request)
    theme, zone = form.get("theme", look.theme), form.get("zone", look.choice)
    keys = form.get("keys", look.keys)
    errors = {}
    if theme not in THEMES:
        errors["theme"] = f"There is no theme of this name; choose one of {', '.join(THEMES)}."
    if zone != BROWSER_ZONE and not is_zone(zone):
        errors["zone"] = "There is no time zone of this name; it is written as Europe/Vienna."
    if keys not in KEYS:
        errors["keys"] = "Single-letter shortcuts are on or off."
    if errors:
        raise FormError(errors)
    response = page.redirect(_own(form.get("next", "/")))
    keep(page.request, response, THEME_COOKIE, theme)
    keep(page.request, response, ZONE_COOKIE, zone)
    keep(page.request, response, KEYS_COOKIE, keys)
    return response


def _own(address: str) -> str:
    """Return an address of this site, home instead of any other."""
    is_ours = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if is_ours and address.isprintable() else "/"
