"""From the address that was refused to the questions that explain it; pure.

What lives here: which object an address is about, and which rules there are for it. What does not: answering.
"""

import re
from typing import Final
from urllib.parse import unquote

from platform_ui.explain.people import Thing

_PREFIX: Final = re.compile(r"^/api/v[0-9]+")
_VERBS: Final = {
    Thing.COMPANY: ("see", "administer", "own"),
    Thing.SYSTEM: ("see", "operate"),
    Thing.CONTRACT: ("see", "change", "sign"),
    Thing.APP: ("see", "change", "deploy", "stop"),
}
_FIRST: Final = {"companies": Thing.COMPANY, "systems": Thing.SYSTEM, "contracts": Thing.CONTRACT}
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,200}", re.ASCII)
_NAMED: Final = 2
_APP_PARTS: Final = 4


def questions_of(path: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of an action and a resource that an address was about; none for other addresses.

    Args:
        path: The path of the address, such as ``/systems/cz.icecars.Fleet.Car1/clients/new``.
    """
    parts = [unquote(part) for part in _PREFIX.sub("", path).strip("/").split("/")]
    thing = _FIRST.get(parts[0])
    if thing is None or len(parts) < _NAMED or parts[1] in {"", "new"}:
        return ()
    name = parts[1].partition(":")[0]
    is_app = thing is Thing.SYSTEM and len(parts) >= _APP_PARTS and parts[2] == "apps" and parts[3] != "new"
    if is_app:
        thing, name = Thing.APP, f"{name}.{parts[3].partition(':')[0]}"
    if not _NAME.fullmatch(name):
        return ()
    return tuple((f"{verb} {thing}", name) for verb in _VERBS[thing])
