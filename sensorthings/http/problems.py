"""Problem documents: the one place that turns errors into answers.

What lives here: RFC 9457 documents with a stable `code` and a `hint`, and the table from database errors to
them. What does not: raising.
"""

import logging
from http import HTTPStatus

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sensorthings.errors import BodyError, MethodError, QuerySyntaxError, RequestError

_log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"

_CONSTRAINT_HINT = "Link entities that are there; read the set to find their ids."


def problem(
    status: int,
    code: str,
    detail: str,
    hint: str = "",
    *,
    headers: dict[str, str] | None = None,
    **more: object,
) -> Response:
    """Make an RFC 9457 answer."""
    document = {
        "type": f"urn:digital-twin-stack:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        **more,
    }
    return Response(orjson.dumps(document), status, headers=headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer every error with a problem document."""
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeoutError, _busy)
    app.add_exception_handler(Exception, _last_handler)


def _request_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestError):
        raise error
    more: dict[str, object] = {}
    if isinstance(error, QuerySyntaxError):
        more = {"option": error.option, "column": error.column}
    elif isinstance(error, BodyError):
        more = {"pointer": error.place}
    headers = {"Allow": error.allowed} if isinstance(error, MethodError) else None
    return problem(error.status, error.code, error.detail, error.hint, headers=headers, **more)


def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    hint = (
        "The Allow header lists what is served." if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else ""
    )
    code = f"http.{HTTPStatus(error.status_code).name.lower()}"
    return problem(error.status_code, code, str(error.detail), hint, headers=dict(error.headers or {}))


def _validation_error(_: Request, error: Exception) -> Response:
    return problem(400, "request.invalid", str(error), "Correct the request.")


def _database_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, DBAPIError):
        raise error
    cause = error.orig
    if isinstance(cause, psycopg.errors.ForeignKeyViolation):
        return problem(400, "body.link_missing", _missing_link(cause), _CONSTRAINT_HINT)
    if isinstance(cause, psycopg.IntegrityError):
        return problem(409, "entity.conflict", "The change contradicts another one.", "Read and try again.")
    if isinstance(cause, _CLIENT_MISTAKES):
        detail = f"A value cannot be used: {_first_line(cause)}."
        return problem(400, "value.not_usable", detail, "Use a smaller or simpler value.")
    if isinstance(cause, psycopg.errors.QueryCanceled):
        hint = "Ask for less: a narrower $filter, a smaller $top, fewer expands."
        return problem(503, "database.too_slow", "The query took too long and was stopped.", hint)
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return _last_handler(request, error)
    _log.error("database error", extra={"action": "database_error", "path": request.url.path}, exc_info=error)
    return problem(
        503,
        "database.unavailable",
        "The database does not answer, or asks to try again.",
        "Try again in a moment; /health/ready tells when it is back.",
        headers={"Retry-After": "1"},
    )


_CLIENT_MISTAKES = (
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    psycopg.errors.TooManyArguments,
    psycopg.errors.TooManyColumns,
)


def _missing_link(cause: psycopg.errors.ForeignKeyViolation) -> str:
    name = cause.diag.message_detail or ""
    # As in: Key (thing_id)=(9) is not present in table "thing".
    key = name.partition("=(")[2].partition(")")[0]
    table = name.rpartition('table "')[2].rstrip('".')
    entity = "".join(part.capitalize() for part in table.split("_"))
    return f"There is no {entity or 'linked entity'} {key}."


def _first_line(cause: BaseException) -> str:
    return (str(cause).splitlines() or ["unknown"])[0].rstrip(".")


def _busy(_: Request, __: Exception) -> Response:
    return problem(
        503,
        "service.busy",
        "All database connections are in use.",
        "Try again.",
        headers={"Retry-After": "1"},
    )


def _last_handler(request: Request, error: Exception) -> Response:
    _log.error(
        "unexpected error", extra={"action": "unexpected_error", "path": request.url.path}, exc_info=error
    )
    return problem(500, "service.error", "The service failed.", "The service's log tells why.")
