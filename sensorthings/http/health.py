"""Health, metrics and version of the service.

What lives here: the endpoints that operators and `dtwin` ask. What does not: anything of SensorThings.
"""

import time
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sensorthings.http.problems import problem
from sensorthings.http.routes import VERSIONS


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

        method = scope["method"] if scope["method"] in _METHODS else "other"
        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.requests.labels(method, str(status)).inc()
            self._metrics.seconds.labels(method).observe(time.perf_counter() - started)


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


def product_version() -> str:
    """Give the version of the installed distribution; `0+unknown` when it runs from a bare folder."""
    try:
        return version("digital-twin-stack")
    except PackageNotFoundError:
        return "0+unknown"


async def _database_error(engine: AsyncEngine) -> Exception | None:
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1 FROM sensorthings.thing LIMIT 1"))
    except (SQLAlchemyError, OSError) as error:
        return error
    return None


def make_health_router(engine: AsyncEngine, metrics: Metrics) -> APIRouter:
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
        error = await _database_error(engine) and await _database_error(engine)
        if error is not None:
            hint = "Check DTWIN_SENSORTHINGS__DATABASE_URL, and that the migrations ran."
            return problem(503, "database.unavailable", f"Not ready: {type(error).__name__}.", hint)
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
