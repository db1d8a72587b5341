"""The routes of the site: the pages and the API of every domain, in the order in which they are asked.

What lives here: which domains there are. What does not: what they answer, and what they need (``ports``).
"""

from functools import cache
from operator import attrgetter

from fastapi import APIRouter, Depends
from starlette.routing import BaseRoute

from platform_ui import health
from platform_ui.access import api as access_api
from platform_ui.access import pages as access_pages
from platform_ui.accounts import account_pages, oidc_pages
from platform_ui.accounts import api as accounts_api
from platform_ui.accounts import pages as accounts_pages
from platform_ui.analytics import api as analytics_api
from platform_ui.analytics import pages as analytics_pages
from platform_ui.assets import api as assets_api
from platform_ui.assets import datastream_pages
from platform_ui.assets import pages as assets_pages
from platform_ui.browser import check_csrf
from platform_ui.client_logs import api as client_logs_api
from platform_ui.client_logs import log_pages as client_log_pages
from platform_ui.client_logs import pages as client_logs_pages
from platform_ui.clients import api as clients_api
from platform_ui.clients import pages as clients_pages
from platform_ui.companies import api as companies_api
from platform_ui.companies import pages as companies_pages
from platform_ui.companies import people_api as company_people_api
from platform_ui.companies import people_pages as company_people_pages
from platform_ui.contracts import api as contracts_api
from platform_ui.contracts import pages as contracts_pages
from platform_ui.contracts.offers import api as offers_api
from platform_ui.contracts.offers import pages as offers_pages
from platform_ui.credentials import api as credentials_api
from platform_ui.credentials import pages as credentials_pages
from platform_ui.documents import api as documents_api
from platform_ui.documents import pages as documents_pages
from platform_ui.explain import api as explain_api
from platform_ui.explain import pages as explain_pages
from platform_ui.finding import api as finding_api
from platform_ui.finding import pages as finding_pages
from platform_ui.flows import api as flows_api
from platform_ui.lineage import api as lineage_api
from platform_ui.lineage import pages as lineage_pages
from platform_ui.live import api as live_api
from platform_ui.live import pages as live_pages
from platform_ui.metadata import pages as metadata_pages
from platform_ui.operations import api as operations_api
from platform_ui.operations import certificate_pages, health_pages, welcome_pages
from platform_ui.overview import (
    audit_api,
    audit_pages,
    company_pages,
    home_pages,
    limits_api,
    limits_pages,
    start_pages,
    system_pages,
)
from platform_ui.rest.exchange import keep_conventions
from platform_ui.streams import api as streams_api
from platform_ui.streams import pages as streams_pages
from platform_ui.streams.detail import api as stream_app_api
from platform_ui.streams.detail import app_pages as stream_app_pages
from platform_ui.streams.detail import log_pages as stream_log_pages
from platform_ui.streams.detail import version_pages as stream_version_pages
from platform_ui.streams.editor import api as editor_api
from platform_ui.streams.editor import pages as editor_pages
from platform_ui.systems import api as systems_api
from platform_ui.systems import pages as systems_pages
from platform_ui.systems import people_api, people_pages
from platform_ui.web import look_pages

# These two come last: /systems/{name} must not catch /systems/new.
PAGES = (
    accounts_pages,
    account_pages,
    oidc_pages,
    companies_pages,
    company_people_pages,
    systems_pages,
    people_pages,
    clients_pages,
    client_logs_pages,
    client_log_pages,
    live_pages,
    credentials_pages,
    contracts_pages,
    offers_pages,
    editor_pages,
    streams_pages,
    stream_app_pages,
    stream_version_pages,
    stream_log_pages,
    access_pages,
    metadata_pages,
    assets_pages,
    datastream_pages,
    analytics_pages,
    lineage_pages,
    audit_pages,
    explain_pages,
    documents_pages,
    finding_pages,
    look_pages,
    welcome_pages,
    health_pages,
    certificate_pages,
    home_pages,
    start_pages,
    limits_pages,
    company_pages,
    system_pages,
)
API = (
    accounts_api,
    companies_api,
    company_people_api,
    limits_api,
    systems_api,
    people_api,
    clients_api,
    client_logs_api,
    live_api,
    credentials_api,
    contracts_api,
    offers_api,
    editor_api,
    streams_api,
    stream_app_api,
    access_api,
    assets_api,
    analytics_api,
    audit_api,
    explain_api,
    documents_api,
    finding_api,
    flows_api,
    lineage_api,
    operations_api,
)


@cache
def all_routes() -> tuple[BaseRoute, ...]:
    """Return all routes; every site of a process shares them, because it takes long to work them out."""
    router = APIRouter(dependencies=[Depends(check_csrf)], generate_unique_id_function=attrgetter("name"))
    router.include_router(health.router)
    for pages in PAGES:
        router.include_router(pages.router)
    for api in API:
        router.include_router(api.router, prefix="/api/v1", dependencies=[Depends(keep_conventions)])
    return tuple(router.routes)
