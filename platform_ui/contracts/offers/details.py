"""What the metadata tells of the Datastreams of an offer: units, descriptions, observed properties.

What lives here: what is kept with an offer. What does not: the question (``contracts.registered``), offers
(``service``).

It is asked when an offer is saved, in the name of who saves it, and kept with the offer: so the catalogue
shows strangers what the provider's agents saw then, and never asks for them.
"""

from collections.abc import Iterable
from typing import Final

from platform_ui.contracts.registered import MetadataPort, ask

MOST: Final = 500


async def describe(
    port: MetadataPort, person: str, system: str, names: Iterable[str]
) -> list[dict[str, str]]:
    """Return what is known of Datastreams, by name; what the service does not know is named alone.

    Args:
        port: the way to the service.
        person: who asks.
        system: full name of the system.
        names: full names of Datastreams; empty for all of the system.
    """
    wanted = tuple(names)
    found = (await ask(port, person, system)).rows
    if not wanted:
        return sorted(found.values(), key=lambda one: one["name"])[:MOST]
    return [found.get(name, {"name": name}) for name in wanted]
