"""Liveness, readiness, metrics and version: what operators and the local stack ask.

What lives here: the four addresses, the metrics of the site, and `Pulse`, by which what works in the
background tells how it goes. What does not: metrics of stream apps (their own processes serve them), and how
the platform is as a whole (``operations``).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from client.version import product_version
from platform_ui.db import now
from platform_ui.errors import BrokerError

router = APIRouter(include_in_schema=False)

CHECK_TIMEOUT_S = 6.0
MAX_ERROR = 500


class Pulse:
    """How it last went for something that works by itself in the background.

    Attributes:
        succeeded_at: When it last came through; nothing when it never has.
        failed_at: When it last failed; nothing when it never has.
        error: What it failed of, for the operator.
    """

    def __init__(self) -> None:
        self.succeeded_at: datetime | None = None
        self.failed_at: datetime | None = None
        self.error = ""

    def beat(self) -> None:
        """Note that it came through."""
        self.succeeded_at = now()

    def miss(self, error: Exception) -> None:
        """Note that it failed."""
        self.failed_at, self.error = now(), str(error)[:MAX_ERROR]

    @property
    def is_failing(self) -> bool:
        """Whether it has failed since it last came through."""
        return self.failed_at is not None and (
            self.succeeded_at is None or self.failed_at > self.succeeded_at
        )


class SiteMetrics:
    """The metrics of one running site, with labels from a bounded set."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "dtwin_platform_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "dtwin_platform_request_duration_seconds",
            "Time until the answer began [s].",
            ["route"],
            registry=self.registry,
        )
        self.watchers = Gauge(
            "dtwin_platform_tail_watchers", "Browsers that watch a live tail.", registry=self.registry
        )
        self.acl_changes = Counter(
            "dtwin_platform_acl_changes",
            "Access rules made and removed at the broker.",
            ["change"],
            registry=self.registry,
        )
        self.acl_drift = Counter(
            "dtwin_platform_acl_drift",
            "Access rules that somebody else had changed, mended.",
            ["change"],
            registry=self.registry,
        )
        self.acl_entries = Gauge(
            "dtwin_platform_acl_entries", "Access rules that the platform keeps.", registry=self.registry
        )
        self.acl_compared = Gauge(
            "dtwin_platform_acl_compared_timestamp_seconds",
            "When registry and broker were last compared in full [s since 1970].",
            registry=self.registry,
        )

    def entries_changed(self, made: int, removed: int) -> None:
        """Count access rules that were made and removed."""
        self.acl_changes.labels("made").inc(made)
        self.acl_changes.labels("removed").inc(removed)

    def drift_mended(self, made: int, removed: int) -> None:
        """Count those of them that somebody else had changed."""
        self.acl_drift.labels("made").inc(made)
        self.acl_drift.labels("removed").inc(removed)

    def compared(self, entries: int) -> None:
        """Note that all access rules are as they should be."""
        self.acl_entries.set(entries)
        self.acl_compared.set_to_current_time()


class MetricsMiddleware:
    """Counts requests and times them until the answer begins."""

    def __init__(self, app: ASGIApp, metrics: SiteMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one exchange."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = _route(scope)
                self._metrics.requests.labels(scope["method"], route, str(message["status"])).inc()
                self._metrics.duration.labels(route).observe(time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_counted)


def _route(scope: Scope) -> str:
    """Return the pattern of the address, never the address: the number of labels must stay small."""
    return str(getattr(scope.get("route"), "path", "") or "unmatched")


@router.get("/health/live")
async def show_live() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@router.get("/health/ready")
async def show_ready(request: Request) -> Response:
    """Tell whether everything that pages need is there, part by part."""
    names = ("database", "kafka")
    results = await asyncio.gather(_try(lambda: _ask_database(request)), _try(lambda: _ask_broker(request)))
    parts = dict(zip(names, results, strict=True))
    is_ready = all(result == "ok" for result in results)
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse({"status": "ok" if is_ready else "unavailable", "parts": parts}, status_code=status)


async def _try(check: Callable[[], Awaitable[Any]]) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:.0f} s"
    except (SQLAlchemyError, BrokerError, OSError) as error:
        return type(error).__name__
    return "ok"


async def _ask_database(request: Request) -> None:
    async with request.app.state.sessions() as session:
        await session.execute(text("SELECT 1"))


async def _ask_broker(request: Request) -> None:
    await asyncio.to_thread(request.app.state.topics.check)


@router.get("/metrics")
async def show_metrics(request: Request) -> Response:
    """Give the metrics in the text format of Prometheus."""
    metrics: SiteMetrics = request.app.state.metrics
    metrics.watchers.set(request.app.state.tails.watchers)
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/version")
async def show_version() -> dict[str, str]:
    """Tell the version."""
    return {"name": "digital-twin-stack", "version": product_version()}
