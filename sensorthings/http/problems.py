"""Problem documents: the one place that turns errors into answers.

What lives here: RFC 9457 documents with a stable `code` and a `hint`, and the table from database errors to
them. What does not: raising.
"""

import logging
from http import HTTPStatus

import orjson
import psycopg
from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sensorthings.errors import BodyError, MethodError, QuerySyntaxError, RequestError, UnauthenticatedError
from sensorthings.http.messages import Answer

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
) -> Answer:
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
    return Answer(status, orjson.dumps(document), MEDIA_TYPE, headers or {})


def problem_of(error: Exception, path: str) -> Answer:
    """Turn an error into an answer; one that is nobody's mistake but ours is logged and becomes a 500.

    Args:
        error: What was raised.
        path: Address of the request, for the log.
    """
    if isinstance(error, RequestError):
        return _request_problem(error)
    if isinstance(error, psycopg.Error):
        known = _database_problem(error)
        if known is not None:
            if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                _log.error("database error", extra={"action": "database_error", "path": path}, exc_info=error)
            return known
    _log.error("unexpected error", extra={"action": "unexpected_error", "path": path}, exc_info=error)
    return problem(500, "service.error", "The service failed.", "The service's log tells why.")


def install(app: FastAPI) -> None:
    """Let the application around the service answer every error with a problem document."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    for kind in (RequestError, psycopg.Error, Exception):
        app.add_exception_handler(kind, _any_error)


def response_of(answer: Answer) -> Response:
    """Turn an answer into one of the framework."""
    return Response(answer.body, answer.status, headers=dict(answer.headers), media_type=answer.media_type)


def _any_error(request: HttpRequest, error: Exception) -> Response:
    return response_of(problem_of(error, request.url.path))


def _http_error(_: HttpRequest, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    hint = (
        "The Allow header lists what is served." if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else ""
    )
    code = f"http.{HTTPStatus(error.status_code).name.lower()}"
    headers = dict(error.headers or {})
    return response_of(problem(error.status_code, code, str(error.detail), hint, headers=headers))


def _validation_error(_: HttpRequest, error: Exception) -> Response:
    return response_of(problem(400, "request.invalid", str(error), "Correct the request."))


def _request_problem(error: RequestError) -> Answer:
    more: dict[str, object] = {}
    headers: dict[str, str] = {}
    if isinstance(error, QuerySyntaxError):
        more = {"option": error.option, "column": error.column}
    elif isinstance(error, BodyError):
        more = {"pointer": error.place}
    elif isinstance(error, MethodError):
        headers = {"Allow": error.allowed}
    elif isinstance(error, UnauthenticatedError):
        headers = {"WWW-Authenticate": 'Bearer realm="sensorthings"'}
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": "1"}
    return problem(error.status, error.code, error.detail, error.hint, headers=headers, **more)


def _database_problem(error: psycopg.Error) -> Answer | None:
    if isinstance(error, psycopg.errors.ForeignKeyViolation):
        return problem(400, "body.link_missing", _missing_link(error), _CONSTRAINT_HINT)
    if isinstance(error, psycopg.IntegrityError) and not isinstance(error, psycopg.errors.CheckViolation):
        return problem(409, "entity.conflict", "The change contradicts another one.", "Read and try again.")
    if isinstance(error, _CLIENT_MISTAKES):
        detail = f"A value cannot be used: {_first_line(error)}."
        return problem(400, "value.not_usable", detail, "Use a smaller or simpler value.")
    return _unavailable_problem(error)


def _unavailable_problem(error: psycopg.Error) -> Answer | None:
    if isinstance(error, psycopg.errors.QueryCanceled):
        hint = "Ask for less: a narrower $filter, a smaller $top, fewer expands."
        return problem(503, "database.too_slow", "The query took too long and was stopped.", hint)
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return None
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
