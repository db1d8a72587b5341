"""The page of a system's analytics, and its tables as files."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import Response

from platform_ui.analytics.forms import DEFAULT_RANGE, MOST_SHOWN, RANGE_OF_NEW, AnalyticsForm
from platform_ui.analytics.service import LONGEST_HOURS, Report, analyse
from platform_ui.analytics.sums import HOURS, WEEKDAY_NAMES, WEEKDAYS, of_hours, of_weekdays
from platform_ui.analytics.tables import Table, write_table
from platform_ui.assets.access import CurrentDesk
from platform_ui.assets.series import RANGE_WORDS
from platform_ui.browser import attachment
from platform_ui.errors import FormError, MetadataError, PlatformError, status_of
from platform_ui.systems import service as systems
from platform_ui.systems.models import SystemRole
from platform_ui.web import CurrentPage

router = APIRouter(prefix="/systems/{name}", include_in_schema=False)

_FIELD: Final = "%Y-%m-%dT%H:%M:%S"


@router.get("/analytics")
async def show_analytics(page: CurrentPage, desk: CurrentDesk) -> Response:
    """Show what a system has measured and got over a time, in numbers."""
    system = await systems.see_system(desk.session, desk.user, desk.system)
    is_agent = await systems.role_in(desk.session, desk.user, system) is SystemRole.AGENT
    error: PlatformError | None = None
    report: Report | None = None
    asked = AnalyticsForm(range=DEFAULT_RANGE)
    try:
        asked = AnalyticsForm.read(page.request.query_params)
        report = await analyse(desk, asked)
        if "range" not in page.request.query_params and report.is_new:
            # The address names the time, so that it shows the same tomorrow.
            return page.redirect(f"{page.request.url.path}?{urlencode(asked.query(range=RANGE_OF_NEW))}")
    except (FormError, MetadataError) as failure:
        error = failure
    return page.render(
        "analytics/show.html",
        status=status_of(error) if error else HTTPStatus.OK,
        system=desk.system,
        is_agent=is_agent,
        asked=asked,
        report=report,
        error=error,
        ranges=RANGE_WORDS,
        start=report.span.start.strftime(_FIELD) if report else "",
        end=report.span.end.strftime(_FIELD) if report else "",
        most_shown=MOST_SHOWN,
        longest_days=LONGEST_HOURS.days,
        hours=HOURS,
        weekdays=dict(zip(WEEKDAYS, WEEKDAY_NAMES, strict=True)),
        of_hours=of_hours,
        of_weekdays=of_weekdays,
    )


@router.get("/analytics/{table}.csv")
async def export_table(page: CurrentPage, desk: CurrentDesk, table: Table) -> Response:
    """Give a table of the page as CSV; the address asks for the same time and Datastreams as the page's."""
    report = await analyse(desk, AnalyticsForm.read(page.request.query_params))
    text = write_table(report, table)
    return attachment(text.encode(), f"{desk.system}.{table.value}.csv", "text/csv; charset=utf-8")
