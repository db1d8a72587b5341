"""The composition root: the one place that chooses technologies and puts the site together."""

from functools import partial
from operator import attrgetter

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from client.version import product_version
from platform_ui import health, problems
from platform_ui.acls.kafka_port import AclPort
from platform_ui.audit.origin import OriginMiddleware
from platform_ui.broker import TopicAdministrator
from platform_ui.browser import BrowserMiddleware
from platform_ui.changes import ChangesMiddleware
from platform_ui.composition.background import lifespan
from platform_ui.composition.ports import Given, add_ports
from platform_ui.composition.routes import all_routes
from platform_ui.documents.openapi import describe
from platform_ui.flows.offsets import OffsetPort
from platform_ui.operations.first_run import FirstRunMiddleware
from platform_ui.rest.exchange import RestMiddleware
from platform_ui.settings import PlatformSettings
from platform_ui.streams.runner_port import StreamRunner
from platform_ui.web import STATIC
from streamhub.outputs import MetadataRegistry


def create_app(
    settings: PlatformSettings,
    *,
    topics: TopicAdministrator | None = None,
    runner: StreamRunner | None = None,
    metadata: MetadataRegistry | None = None,
    acls: AclPort | None = None,
    offsets: OffsetPort | None = None,
) -> FastAPI:
    """Put the site together; it connects when it is first used.

    Args:
        settings: what the operator wants.
        topics: the broker's topics; a real broker when left out.
        runner: the runner of stream apps; the folder of the settings when left out.
        metadata: units and output Datastreams; the SensorThings service of the settings when left out.
        acls: the broker's access rules; a real broker when left out, unless `topics` is given.
        offsets: how far the broker's topics are; a real broker when left out, unless `topics` is given.

    Raises:
        ConfigurationError: the certificate authority cannot be opened.
    """
    app = FastAPI(
        title="Digital Twin Stack",
        version=product_version(),
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=attrgetter("name"),
    )
    add_ports(app.state, settings, Given(topics, runner, metadata, acls, offsets))
    _add_middleware(app, settings)
    problems.install(app)
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # the framework's way to extend it
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.router.routes.extend(all_routes())
    return app


def _add_middleware(app: FastAPI, settings: PlatformSettings) -> None:
    """Put what every request passes around the routes; the last one is the outermost."""
    app.add_middleware(FirstRunMiddleware, first_run=app.state.first_run)
    app.add_middleware(RestMiddleware)
    app.add_middleware(ChangesMiddleware, bells=app.state.bells)
    app.add_middleware(OriginMiddleware)
    app.add_middleware(BrowserMiddleware, rules=settings.rules)
    app.add_middleware(health.MetricsMiddleware, metrics=app.state.metrics)
