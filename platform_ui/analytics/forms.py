"""What a person asks of the analytics of a system: a time, some Datastreams, a part of their names."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, StringConstraints
from starlette.datastructures import QueryParams

from client.metadata.times import format_time
from platform_ui.assets.series import CUSTOM, RangeForm
from platform_ui.fields import read_form

MOST_SHOWN: Final = 6
"""So many Datastreams are drawn at a time [1]."""
DEFAULT_RANGE: Final = "24h"
RANGE_OF_NEW: Final = "1h"
"""What a page shows of a system whose data is all new, when its address says nothing of a time."""
_MAX_SEARCH: Final = 200
_MAX_NAME: Final = 1000


def _few(chosen: tuple[str, ...]) -> tuple[str, ...]:
    kept = tuple(dict.fromkeys(one for one in chosen if one))
    if len(kept) > MOST_SHOWN:
        raise ValueError(f"Choose at most {MOST_SHOWN} Datastreams.")
    return kept


Chosen = Annotated[tuple[Annotated[str, StringConstraints(max_length=200)], ...], AfterValidator(_few)]


class AnalyticsForm(RangeForm):
    """What is looked at, besides the time.

    Attributes:
        q: Part of a Datastream's name; empty for all.
        after: Name after which the list of Datastreams begins; empty for the first page.
        show: Ids of the Datastreams that are drawn; empty for the first ones that have numbers.
    """

    q: Annotated[str, StringConstraints(max_length=_MAX_SEARCH)] = ""
    after: Annotated[str, StringConstraints(max_length=_MAX_NAME)] = ""
    show: Chosen = ()

    @classmethod
    def read(cls, given: QueryParams) -> Self:
        """Read what an address asks for; 24 hours when it says nothing of a time.

        Raises:
            FormError: It cannot be meant.
        """
        known = {name: value for name, value in given.items() if name in cls.model_fields and value}
        chosen = [one for value in given.getlist("show") for one in value.split(",")]
        return read_form(cls, {"range": DEFAULT_RANGE} | known | {"show": chosen})

    def query(self, **changed: object) -> dict[str, str]:
        """Return the query of an address that shows the same, but for what is changed."""
        asked: Mapping[str, object] = self.model_dump() | changed
        if asked["range"] != CUSTOM:
            asked = {name: value for name, value in asked.items() if name not in {"start", "end"}}
        return {name: text for name, value in asked.items() if (text := _written(value))}


def _written(value: object) -> str:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value or "")
