"""The page of certificates: whose they are, when they end, and where they are renewed or revoked.

What lives here: the page. What does not: who sees which (``certificates``), issuing (``credentials``).
"""

import asyncio
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.credentials.access import MaybeAuthority
from platform_ui.db import Database, now
from platform_ui.operations.certificates import (
    CertificateLine,
    Choice,
    calendar_of,
    count_choices,
    page_of_certificates,
    services_of,
)
from platform_ui.pki.authority import Authority
from platform_ui.pki.proofs import fingerprint
from platform_ui.rest.paging import ListQuery
from platform_ui.settings import CurrentSettings
from platform_ui.web import CurrentPage

router = APIRouter(include_in_schema=False)

_WORDS = (
    ("", "Counting"),
    (Choice.ENDING.value, "End soon"),
    (Choice.BLOCKED.value, "Blocked"),
    (Choice.REVOKED.value, "Revoked"),
    (Choice.ENDED.value, "Ended"),
    (Choice.ALL.value, "All"),
)


@router.get("/certificates")
async def show_certificates(
    *,
    page: CurrentPage,
    database: Database,
    user: LoggedIn,
    view: ListQuery,
    settings: CurrentSettings,
    authority: MaybeAuthority,
) -> Response:
    """Show the certificates of the person's client apps and stream apps; htmx asks for the rows alone."""
    present, choice = now(), _choice(page.request)
    shown = view.chosen(show="" if choice is Choice.COUNTING else choice.value)
    listed = await page_of_certificates(database, user, view.page, choice, present)
    counts = await count_choices(database, user, view.page, present)
    rows: dict[str, Any] = {"view": shown, "listed": listed, "present": present, "words": _WORDS}
    rows |= {"counts": counts | {"": counts[Choice.COUNTING]}}
    if view.part(page.request) == "rows":
        return page.render("operations/certificate_rows.html", **rows)
    services: list[CertificateLine] = []
    if user.is_operator:
        services = await asyncio.to_thread(services_of, settings)
    weeks = await calendar_of(database, user, present)
    return page.render(
        "operations/certificates.html",
        **rows,
        services=services,
        weeks=weeks,
        most=max((week.number for week in weeks), default=0),
        authority=_authority_facts(authority, present),
    )


def _choice(request: Request) -> Choice:
    """Return which certificates are wanted; what is no choice is left aside."""
    given = request.query_params.get("show", "")
    return Choice(given) if given in {choice.value for choice in Choice} else Choice.COUNTING


def _authority_facts(authority: Authority | None, present: datetime) -> dict[str, object] | None:
    if authority is None:
        return None
    until = authority.certificate.not_valid_after_utc
    return {
        "fingerprint": fingerprint(authority.certificate),
        "until": until,
        "days": (until - present).days,
        "subject": authority.certificate.subject.rfc4514_string(),
    }
