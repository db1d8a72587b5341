"""The site's last handlers: every error becomes a page for people or an RFC 9457 problem for programs.

What lives here: the shape of error answers. What does not: which error has which status (``errors``).
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from client.errors import InvalidNameError
from platform_ui.browser import is_known_browser
from platform_ui.db import Sessions
from platform_ui.errors import (
    WHOLE_FORM,
    ConfirmationNeededError,
    InvalidRequestError,
    NotFoundError,
    NotLoggedInError,
    PlatformError,
    SecondFactorNeededError,
    TooManyAttemptsError,
    status_of,
)
from platform_ui.fields import explain
from platform_ui.rest.idempotency import AnsweredBeforeError
from platform_ui.web import Page

_log = logging.getLogger(__name__)

_Finder = Callable[[Request, AsyncSession], Awaitable[object]]
API_PREFIX = "/api/"
PROBLEM_TYPE = "application/problem+json"
EXPLANATION = "/explain"
_EXPLAINED = ("/companies/", "/systems/", "/contracts/")
_OWN_PATH = re.compile(r"/(?![/\\])")  # what goes on with a slash names another host
# What a person can do about an error on a page of its own.
_STEPS = {ConfirmationNeededError: "/account/confirm", SecondFactorNeededError: "/account/second-factor"}


def install(app: FastAPI) -> None:
    """Register the handlers of all errors with an application."""
    app.add_exception_handler(PlatformError, _on_platform_error)
    app.add_exception_handler(InvalidNameError, _on_invalid_name)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(AnsweredBeforeError, _on_answered_before)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_surprise)


def wants_problem(request: Request) -> bool:
    """Return whether the answer goes to a program: the API, htmx, or a fetch that asks for JSON."""
    if request.url.path.startswith(API_PREFIX) or "hx-request" in request.headers:
        return True
    accepted = request.headers.get("accept", "")
    return "json" in accepted and "text/html" not in accepted


def problem(request: Request, error: PlatformError, status: int) -> Response:
    """Return a problem document.

    Source: RFC 9457, clause 3 "Members of a Problem Details Object".
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.detail,
        "instance": request.url.path,
        "code": error.code,
    }
    if error.hint:
        body["hint"] = error.hint
    explanation = explanation_of(request, status)
    if explanation:
        body["explain"] = explanation
    if isinstance(error, InvalidRequestError):
        body["errors"] = error.faults
    elif error.fields:
        body["errors"] = [
            {"pointer": "" if name == WHOLE_FORM else f"/{name}", "detail": text}
            for name, text in error.fields.items()
        ]
    return JSONResponse(body, status_code=status, media_type=PROBLEM_TYPE)


def explanation_of(request: Request, status: int) -> str:
    """Return the address of the page that explains a refusal to somebody who is logged in, or an empty text.

    It is the same for what is somebody else's and for what is not there; an address that no page has refuses
    nothing.
    """
    path = request.url.path
    is_refusal = status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    is_about = path.removeprefix("/api/v1").startswith(_EXPLAINED)
    is_page = request.scope.get("endpoint") is not None
    if not (is_refusal and is_about and is_page) or getattr(request.state, "user", None) is None:
        return ""
    return f"{EXPLANATION}?asked={quote(path, safe='/')}"


async def _on_platform_error(request: Request, error: Exception) -> Response:
    known = error if isinstance(error, PlatformError) else PlatformError(str(error))
    status = status_of(known)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s failed: %s", request.method, request.url.path, known, extra={"code": known.code})
    response = _answer(request, known, status)
    if isinstance(known, TooManyAttemptsError):
        response.headers["Retry-After"] = str(known.retry_after_s)
    return response


def _answer(request: Request, error: PlatformError, status: int) -> Response:
    if isinstance(error, NotLoggedInError) and not request.url.path.startswith(API_PREFIX):
        return _to_login(request, error)
    if wants_problem(request):
        return problem(request, error, status)
    for kind, address in _STEPS.items():
        if isinstance(error, kind):
            return RedirectResponse(f"{address}{_following(request)}", status_code=HTTPStatus.SEE_OTHER)
    explanation = explanation_of(request, status)
    return Page(request).render(
        "errors/error.html",
        status=status,
        error=error,
        status_code=status,
        explanation=explanation,
        before=_before(request),
    )


def _before(request: Request) -> str:
    """Return the address of our page whose form was refused; empty where there is none, or nobody says."""
    if request.method == "GET":
        return ""
    try:
        came_from = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # no address at all
        return ""
    if came_from.netloc != request.url.netloc or not _OWN_PATH.match(came_from.path):
        return ""
    return f"{came_from.path}?{came_from.query}" if came_from.query else came_from.path


def _to_login(request: Request, error: PlatformError) -> Response:
    if wants_problem(request):
        response = problem(request, error, HTTPStatus.UNAUTHORIZED)
        response.headers["HX-Redirect"] = "/login"
        return response
    return RedirectResponse(f"/login{_following(request)}", status_code=HTTPStatus.SEE_OTHER)


def _following(request: Request) -> str:
    return f"?next={quote(request.url.path)}" if request.method == "GET" else ""


async def _on_invalid_name(request: Request, error: Exception) -> Response:
    """A name in an address that cannot be a name: there is no such object."""
    return await _on_platform_error(request, NotFoundError(str(error)))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    faults = error.errors() if isinstance(error, RequestValidationError) else ()
    return await _on_platform_error(request, InvalidRequestError([_fault(one) for one in faults]))


def _fault(fault: Mapping[str, Any]) -> dict[str, str]:
    """Say what is wrong at one place: of the body by its JSON pointer (RFC 6901), else by the parameter."""
    place, *steps = (str(one) for one in fault["loc"])
    detail = explain(fault)
    if place != "body":
        return {"parameter": steps[-1] if steps else place, "detail": detail}
    is_position = fault["type"] == "json_invalid"  # the step is a number of characters, no member
    escaped = [] if is_position else [one.replace("~", "~0").replace("/", "~1") for one in steps]
    return {"pointer": "".join(f"/{one}" for one in escaped), "detail": detail}


async def _on_answered_before(_request: Request, error: Exception) -> Response:
    """Give the answer again of a request that was done before."""
    return error.response if isinstance(error, AnsweredBeforeError) else Response()


async def _on_http_error(request: Request, error: Exception) -> Response:
    await _recognise(request)
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    phrase = HTTPStatus(status).phrase
    known = PlatformError(
        "There is no such page." if status == HTTPStatus.NOT_FOUND else f"{phrase}.",
        code=f"http.{phrase.lower().replace(' ', '_')}",
    )
    response = _answer(request, known, status)
    for name, value in (getattr(error, "headers", None) or {}).items():
        response.headers[name] = value
    return response


async def _recognise(request: Request) -> None:
    """Find out who asks where no route did, for the frame of the page; without a database it is nobody."""
    if hasattr(request.state, "user") or wants_problem(request) or not is_known_browser(request):
        return
    try:
        async with cast(Sessions, request.app.state.sessions)() as session:
            await cast(_Finder, request.app.state.find_principal)(request, session)
    except SQLAlchemyError as unreachable:
        _log.warning("%s: nobody is known for this page: %s", request.url.path, type(unreachable).__name__)


async def _on_surprise(request: Request, error: Exception) -> Response:
    """The last handler: never a stack trace in the answer, always one in the log."""
    _log.error("%s %s raised", request.method, request.url.path, exc_info=error)
    known = PlatformError(
        "Something went wrong on our side; it has been written down.", code="platform.surprise"
    )
    return _answer(request, known, HTTPStatus.INTERNAL_SERVER_ERROR)
