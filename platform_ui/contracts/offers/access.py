"""The dependency of the handlers of offers: the way to the metadata of Datastreams."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.contracts.offers.details import MetadataPort


def _metadata(request: Request) -> MetadataPort:
    return cast(MetadataPort, request.app.state.gateway)


Metadata = Annotated[MetadataPort, Depends(_metadata)]
