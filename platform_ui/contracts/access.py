"""The dependencies of the handlers of contracts: the provider's last records, and units."""

from typing import Annotated, cast

from fastapi import Depends, Request

from platform_ui.contracts.preview import RecordReader
from platform_ui.systems.units import UnitDirectory


def _reader(request: Request) -> RecordReader:
    return cast(RecordReader, request.app.state.records)


def _units(request: Request) -> UnitDirectory:
    return cast(UnitDirectory, request.app.state.units)


Records = Annotated[RecordReader, Depends(_reader)]
Units = Annotated[UnitDirectory, Depends(_units)]
