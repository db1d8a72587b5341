"""The composition root of the service: settings in, application out.

What lives here: the choice of database driver and framework, wired once. What does not: behaviour.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sensorthings.http import problems
from sensorthings.http.health import MeasuringMiddleware, Metrics, make_health_router, product_version
from sensorthings.http.routes import Service, make_router
from sensorthings.queries.plans import Planner
from sensorthings.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Make the application; its connections close when it shuts down.

    Raises:
        ConfigurationError: The database address is wrong.
    """
    engine = make_engine(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = FastAPI(
        title="SensorThings",
        version=product_version(),
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
    )
    metrics = Metrics()
    problems.install(app)
    app.include_router(make_health_router(engine, metrics))
    app.include_router(make_router(Service(engine, settings, Planner(engine.dialect))))
    app.add_middleware(MeasuringMiddleware, metrics=metrics)
    return app


def make_engine(settings: Settings) -> AsyncEngine:
    """Make the database engine.

    Raises:
        ConfigurationError: The database address is wrong.
    """
    timeout_ms = int(settings.statement_timeout_s * 1000)
    return create_async_engine(
        settings.database,
        pool_size=settings.pool_size,
        max_overflow=0,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={"options": f"-c timezone=UTC -c statement_timeout={timeout_ms} -c jit=off"},
    )
