"""The dependencies of the handlers of contracts: the provider's last records, units, and metadata."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.contracts.preview import RecordReader
from platform_ui.contracts.registered import MetadataPort
from platform_ui.systems.units import UnitDirectory


def _reader(request: Request) -> RecordReader:
    return cast(RecordReader, request.app.state.records)


def _units(request: Request) -> UnitDirectory:
    return cast(UnitDirectory, request.app.state.units)


def _metadata(request: Request) -> MetadataPort:
    return cast(MetadataPort, request.app.state.gateway)


Records = Annotated[RecordReader, Depends(_reader)]
Units = Annotated[UnitDirectory, Depends(_units)]
Metadata = Annotated[MetadataPort, Depends(_metadata)]
