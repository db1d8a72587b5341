"""Records for programs: as they passed, as they pass, one alone, and as a file."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from platform_ui.accounts.access import LoggedIn
from platform_ui.accounts.models import User
from platform_ui.browser import disposition
from platform_ui.db import Database, now
from platform_ui.errors import BrokerError
from platform_ui.live import exports
from platform_ui.live.access import LivePorts, Ports
from platform_ui.live.answers import LiveRecordAnswer, LiveRecordList
from platform_ui.live.events import HEADERS, MEDIA_TYPE, Watch, program_events
from platform_ui.live.forms import ExportForm, LiveForm, Tab, parse_begin
from platform_ui.live.scope import Scope, scope_of
from platform_ui.live.service import NO_BROKER, look_back, one_record, sieve_for, with_units

router = APIRouter(prefix="/systems/{system}/records", tags=["records"])

_Asked = Annotated[LiveForm, Query()]
Position = Annotated[str, Path(pattern=r"^\d{1,6}:\d{1,18}$", description="`partition:offset`.")]


@router.get("")
async def list_records(
    *, database: Database, user: LoggedIn, ports: Ports, system: str, asked: _Asked
) -> LiveRecordList:
    """List records of a topic of a system as they passed, the oldest first, with a filter.

    Of a system that you see through a contract only, the answer is what the contract lets you have.
    """
    scope = await scope_of(database, user, system, asked.contract)
    await database.close()  # reading takes its time; the connection goes back to the pool
    found = await look_back(ports.log, scope, asked, parse_begin(asked.begin))
    answer = LiveRecordList.of(found)
    shown = await with_units(found.records, ports.units, scope.seen_as)
    answer.items = [LiveRecordAnswer.of(record) for record in shown]
    return answer


@router.get(
    "/tail",
    response_class=StreamingResponse,
    responses={200: {"description": "Events, as long as you stay.", "content": {MEDIA_TYPE: {}}}},
)
async def tail_records(
    *, request: Request, database: Database, user: LoggedIn, ports: Ports, system: str, asked: _Asked
) -> Response:
    """Stream records of a topic of a system as they pass, with a filter.

    An event `record` holds one record, `position` counts what was read, `gap` tells of records that Kafka
    had removed before they could be sent, `closed` ends the stream when you may not see it any more. Their
    ids say where to go on: sent back as `Last-Event-ID`, nothing is lost for as long as Kafka keeps it.

    Source: HTML Living Standard, clause 9.2 "Server-sent events".
    """
    scope = await scope_of(database, user, system, asked.contract)
    scope.topic(asked.topic)
    sieve_for(scope, asked.filter)
    watch = Watch(request, _hub(ports, user).hub, ports.units, user.email, scope, asked)
    begin = watch.begin(parse_begin(asked.begin))
    await database.close()
    return StreamingResponse(program_events(watch, begin), media_type=MEDIA_TYPE, headers=HEADERS)


def _hub(ports: LivePorts, user: User) -> LivePorts:
    """Return the ports when one more may follow.

    Raises:
        BrokerError: there is no broker, or as many follow as may.
    """
    if ports.hub is None:
        raise BrokerError(NO_BROKER)
    ports.hub.require_room(user.email)
    return ports


@router.get("/export", response_class=StreamingResponse)
async def export_records(
    *,
    database: Database,
    user: LoggedIn,
    ports: Ports,
    system: str,
    asked: Annotated[ExportForm, Query()],
) -> Response:
    """Save records of a topic as a file: at most 10,000 that match, of at most 50,000 that are looked at."""
    scope = await scope_of(database, user, system, asked.contract)
    await database.close()
    return await file_of(ports, scope, asked)


async def file_of(ports: LivePorts, scope: Scope, asked: ExportForm) -> Response:
    """Return a file of records, under a name that tells what is in it.

    Args:
        ports: read records.
        scope: what the person may see.
        asked: which records, and the form of the file.

    Raises:
        FormError: this machine cannot write the form.
        ForbiddenError: the topic is not theirs to see.
        BrokerError: the broker does not give the records.
    """
    exports.require(asked.form)
    begin = parse_begin(asked.begin)
    wanted = asked.model_copy(update={"limit": exports.MOST_RECORDS})
    found = await look_back(ports.log, scope, wanted, begin, most=exports.MOST_LOOKED_AT)
    records = await with_units(found.records, ports.units, scope.seen_as)
    name = f"{scope.system}.{asked.topic.value}-{now():%Y%m%dT%H%M%SZ}.{asked.form.value}"
    return StreamingResponse(
        exports.pieces(records, asked.form),
        media_type=exports.MEDIA_TYPES[asked.form],
        headers={"Content-Disposition": disposition(name)},
    )


@router.get("/{position}")
async def show_record(
    *,
    database: Database,
    user: LoggedIn,
    ports: Ports,
    system: str,
    position: Position,
    topic: Tab = Tab.INT,
    contract: Annotated[str, Query(max_length=40)] = "",
) -> LiveRecordAnswer:
    """Show one record with its headers and its whole value."""
    scope = await scope_of(database, user, system, contract)
    await database.close()
    partition, offset = map(int, position.split(":"))
    record = await one_record(ports.log, scope, topic, partition, offset)
    (shown,) = await with_units([record], ports.units, scope.seen_as)
    return LiveRecordAnswer.of(shown)
