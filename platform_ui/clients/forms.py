"""The form of client apps; its limits are those of the columns."""

import re
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from platform_ui.clients.models import MAX_APP_NAME, MAX_URL
from platform_ui.companies.forms import Description
from platform_ui.fields import APP_NAME_PATTERN, Form

AppName = Annotated[str, StringConstraints(min_length=2, max_length=MAX_APP_NAME, pattern=APP_NAME_PATTERN)]
_URL = re.compile(r"https?://[^\s/?#@'\"\\]+(/[^\s'\"\\]*)?")


def _web_address(text: str) -> str:
    if text and not _URL.fullmatch(text):
        raise ValueError("This must start with http:// or https:// and name a host, or stay empty.")
    return text


class ClientForm(Form):
    """What makes a client app of a system."""

    name: AppName
    metadata_uri: Annotated[str, StringConstraints(max_length=MAX_URL), AfterValidator(_web_address)] = ""
    description: Description = ""
