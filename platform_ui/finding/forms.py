"""What a search is asked with; no rules beyond the form."""

from pydantic import Field

from platform_ui.fields import Form

MAX_SEARCH = 200


class FindForm(Form):
    """A search.

    Attributes:
        q: Words; all must occur.
    """

    q: str = Field("", max_length=MAX_SEARCH)
