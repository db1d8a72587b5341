"""Health, metrics and version of the service.

What lives here: the endpoints that operators and `dtwin` ask. What does not: anything of SensorThings.
"""

import time

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from psycopg import Error as DatabaseError
from sqlalchemy import select
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from client.version import product_version
from sensorthings.database import Database, prepare
from sensorthings.errors import RequestError
from sensorthings.http.messages import VERSIONS
from sensorthings.http.problems import problem, response_of
from sensorthings.model.tables import thing


class Metrics:
    """Counters of one application; its own registry, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "dtwin_sensorthings_requests", "Requests answered", ["method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "dtwin_sensorthings_request_seconds", "Time to answer [s]", ["method"], registry=self.registry
        )
        self._kept: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def note(self, method: str, status: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            method: Of the request.
            status: Of the answer.
            seconds: Time to answer [s].
        """
        kept = self._kept.get((method, status))
        if kept is None:
            # Looked up once: finding a labelled counter costs more than counting.
            known = method if method in _METHODS else "other"
            kept = self.requests.labels(known, str(status)), self.seconds.labels(known)
            self._kept[known, status] = kept
        kept[0].inc()
        kept[1].observe(seconds)


class MeasuringMiddleware:
    """Counts and times every request; plain ASGI, because it is on the way of each of them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note its status and time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.note(scope["method"], status, time.perf_counter() - started)


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


_PROBE = prepare(select(thing.c.id).limit(1))


async def _database_error(database: Database) -> Exception | None:
    try:
        async with database.reading() as session:
            await session.row(_PROBE)
    except (DatabaseError, RequestError) as error:
        return error
    return None


def make_health_router(database: Database, metrics: Metrics) -> APIRouter:
    """Make the endpoints."""
    router = APIRouter()

    @router.get("/health/live")
    async def live() -> Response:
        """Tell that the process runs."""
        return JSONResponse({"status": "live"})

    @router.get("/health/ready")
    async def ready() -> Response:
        """Tell whether the database answers."""
        # Twice, because the first connection of the pool may be one that the database has closed.
        error = await _database_error(database) and await _database_error(database)
        if error is not None:
            hint = "Check DTWIN_SENSORTHINGS__DATABASE_URL, and that the migrations ran."
            detail = f"Not ready: {type(error).__name__}."
            return response_of(problem(503, "database.unavailable", detail, hint))
        return JSONResponse({"status": "ready"})

    @router.get("/metrics")
    async def metrics_page() -> Response:
        """Give the metrics for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @router.get("/version")
    async def version_page() -> Response:
        """Tell the version."""
        return JSONResponse({"version": product_version(), "sensorthings": list(VERSIONS)})

    return router
