"""The composition root of the service: settings in, application out.

What lives here: the choice of database driver and framework, wired once. What does not: behaviour.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from client.version import product_version
from sensorthings.access.setting_up import make_gate
from sensorthings.changes.keeping import forgetting_idle_readers
from sensorthings.changes.routes import make_changes_router
from sensorthings.database import Database
from sensorthings.http import problems
from sensorthings.http.access_routes import make_access_router
from sensorthings.http.endpoint import Endpoint, is_ours
from sensorthings.http.health import MeasuringMiddleware, Metrics, make_health_router
from sensorthings.http.service import StandardService
from sensorthings.outbox.relay import Relay
from sensorthings.outbox.setting_up import make_relay, sending
from sensorthings.queries.plans import Planner
from sensorthings.settings import Settings, read_settings
from sensorthings.spatial.engine import SpatialEngine
from sensorthings.store.retention import keep_retention


def create_app(settings: Settings) -> ASGIApp:
    """Make the application; its connections close when it shuts down.

    Raises:
        ConfigurationError: The database address, or another setting, is wrong.
    """
    database = make_database(settings)
    gate = make_gate(settings, database)
    metrics = Metrics()
    around = _around(database, metrics, settings, make_relay(settings))
    around.include_router(make_access_router(database, gate))
    around.include_router(make_changes_router(database, gate))
    service = StandardService(database, settings, Planner(), SpatialEngine(database))
    endpoint = Endpoint(service, gate.authenticate, settings)

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = endpoint if scope["type"] == "http" and is_ours(scope["path"]) else around
        await app(scope, receive, send)

    return MeasuringMiddleware(chosen, metrics)


def application() -> ASGIApp:
    """Make the application from the environment: what each of several worker processes does."""
    return create_app(read_settings())


def _around(database: Database, metrics: Metrics, settings: Settings, relay: Relay | None) -> FastAPI:
    """Make what is around SensorThings itself: health, metrics, administration, start and end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await database.open()
        try:
            async with (
                keep_retention(database, settings.retention_interval_s),
                forgetting_idle_readers(database, settings.changes_kept_s),
                sending(relay),
            ):
                yield
        finally:
            await database.close()

    app = FastAPI(
        title="SensorThings",
        version=product_version(),
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    app.include_router(make_health_router(database, metrics))
    return app


def make_database(settings: Settings) -> Database:
    """Make the pool of connections; nothing is connected yet.

    Raises:
        ConfigurationError: The database address is wrong.
    """
    return Database(
        settings.database, pool_size=settings.pool_size, statement_timeout_s=settings.statement_timeout_s
    )
