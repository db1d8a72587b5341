"""What everybody may be looking for: the places of the site and what can be done there.

What lives here: the list, and finding in it. What does not: objects of people (``service``).
"""

from typing import Final

from platform_ui.finding.found import Found, Kind
from platform_ui.finding.ranking import rank
from platform_ui.web import MAIN, MORE, Place

ACTIONS: Final = (
    Place("/systems/new", "New system", "plus", "create add system station"),
    Place("/companies/new", "New company", "plus", "create add company"),
    Place("/contracts/new", "Request records of another company", "plus", "new contract share offer create"),
    Place("/explain", "Explain a permission", "help-circle", "why may allowed refused denied"),
    Place("/explorer/query", "Query metadata", "filter", "sensorthings odata filter"),
    Place("/explorer/map", "Map of all Things", "world", "location places"),
    Place("/account", "Your account", "user", "sessions profile"),
    Place("/account/password", "Change your password", "lock", "account"),
    Place("/account/second-factor", "Second factor", "shield-check", "totp 2fa authenticator account"),
    Place("/look", "Theme and time zone", "adjustments", "settings preferences display utc"),
    Place("/look#dark", "Switch to dark", "moon", "theme mode night"),
    Place("/look#light", "Switch to light", "sun", "theme mode day"),
    Place("/look#system", "Theme as my system", "device-desktop", "theme mode automatic"),
    Place("/find/keys", "Keyboard shortcuts", "keyboard", "help keys"),
)
_BEHIND: Final = 1  # other words for a place count less than its name


def find_places(words: tuple[str, ...], most: int) -> list[Found]:
    """Return the pages and actions that fit, best first; without words the pages of the navigation.

    Args:
        words: what is looked for.
        most: how many of each kind at most [1].
    """
    return [
        *_best(Kind.PAGE, (*MAIN, *MORE), words, most if words else len(MAIN)),
        *_best(Kind.ACTION, ACTIONS, words, most),
    ]


def _best(kind: Kind, places: tuple[Place, ...], words: tuple[str, ...], most: int) -> list[Found]:
    found = []
    for place in places:
        fits = rank(words, place.name)
        if fits is None:
            by_words = rank(words, place.name, place.words)
            fits = None if by_words is None else by_words + _BEHIND
        if fits is not None:
            found.append(Found(kind, place.name, "", place.address, place.symbol, fits))
    return sorted(found, key=lambda one: one.rank)[:most]
