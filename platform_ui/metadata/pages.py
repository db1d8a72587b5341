"""The explorer's pages, and the data that they ask for."""

from http import HTTPStatus
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.db import Database
from platform_ui.metadata.description import describe
from platform_ui.metadata.gateway import VERSION, AnswerTooLargeError, Gateway
from platform_ui.problems import problem
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)


def _gateway(request: Request) -> Gateway:
    return cast(Gateway, request.app.state.gateway)


CurrentGateway = Annotated[Gateway, Depends(_gateway)]


@router.get("/explorer")
async def show_tree(page: CurrentPage, user: LoggedIn, gateway: CurrentGateway) -> Response:
    """Show systems, Things and Datastreams as a tree, with the details of the chosen one."""
    del user
    return page.render("metadata/tree.html", view="tree", root=gateway.root)


@router.get("/explorer/map")
async def show_map(page: CurrentPage, user: LoggedIn, gateway: CurrentGateway) -> Response:
    """Show where the Things are, and what they observe."""
    del user
    return page.render("metadata/map.html", view="map", root=gateway.root)


@router.get("/explorer/query")
async def show_query(page: CurrentPage, user: LoggedIn, gateway: CurrentGateway) -> Response:
    """Show the query builder."""
    del user
    return page.render("metadata/query.html", view="query", root=gateway.root)


@router.get("/explorer/description.json")
async def show_description(user: LoggedIn) -> Response:
    """Give the entity types and the query language, for completion and help."""
    del user
    return JSONResponse(describe())


@router.get(f"/explorer/data/{VERSION}")
@router.get(f"/explorer/data/{VERSION}/{{path:path}}")
async def read_data(
    request: Request, database: Database, user: LoggedIn, gateway: CurrentGateway, path: str = ""
) -> Response:
    """Pass a question on to the SensorThings service, in the name of the person who asks."""
    person = user.email
    await database.close()  # the service may take long; the connection is for others meanwhile
    try:
        answer = await gateway.read(path, request.url.query, person)
    except AnswerTooLargeError as error:
        return problem(request, error, HTTPStatus.BAD_GATEWAY)
    return Response(answer.body, answer.status, media_type=answer.media_type)
