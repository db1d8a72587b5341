"""The versions of a stream app's statement: saved once, never changed, one of them deployed.

What lives here: saving the next version, going back to an earlier one, listing them. What does not: what two
versions differ in (``comparing``), starting and stopping (``service``).

An earlier version is checked like a new one: its contracts may have ended, and its sources may have other
units by now. Going back makes no version of its own: the number says which statement runs.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.audit import service as audit
from platform_ui.db import now
from platform_ui.errors import ConflictError, NotFoundError
from platform_ui.rest.paging import Listed, Order, PageRequest, read_page
from platform_ui.streams import permission, statements
from platform_ui.streams.forms import StatementForm
from platform_ui.streams.models import StreamApp, StreamAppVersion
from platform_ui.streams.ports import StreamPorts
from platform_ui.streams.running import specification_of, start, with_outputs
from platform_ui.streams.version_forms import VersionForm
from platform_ui.streams.views import AppView, require_inside, require_source_side
from streamhub.specification import StreamAppSpecification

NEWEST_FIRST: Final = Order("versions", (StreamAppVersion.number,), is_descending=True)


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version as people see it.

    Attributes:
        version: The version.
        author: E-mail address of who saved it.
        is_deployed: Whether it is the one that the app runs, or would run if it were started.
    """

    version: StreamAppVersion
    author: str
    is_deployed: bool


def version_of(app: StreamApp, author: User, contracts: Iterable[str], note: str = "") -> StreamAppVersion:
    """Return the version that an app has now, to be kept.

    Args:
        app: the app, with the number and the statement of the version.
        author: who saves it.
        contracts: ids of the contracts that it is saved with.
        note: what its author says about it.
    """
    return StreamAppVersion(
        app_id=app.id,
        number=app.version,
        statement=app.statement,
        contracts=sorted(contracts),
        note=note,
        created_at=app.changed_at,
        created_by=author.id,
    )


async def page_of_versions(session: AsyncSession, view: AppView, page: PageRequest) -> Listed[VersionView]:
    """Return one page of the versions of an app, the newest first.

    Raises:
        ForbiddenError: the person does not see the source system.
        PageTokenError: the token is not one of this list.
    """
    require_inside(view)
    statement = (
        select(StreamAppVersion, User.email)
        .join(User, User.id == StreamAppVersion.created_by)
        .where(StreamAppVersion.app_id == view.app.id)
    )
    found = await read_page(session, statement, NEWEST_FIRST, page)

    def seen(row: tuple[object, ...]) -> VersionView:
        version, author = cast("tuple[StreamAppVersion, str]", row)
        return VersionView(version, author, version.number == view.app.version)

    return found.map(seen)


async def get_version(session: AsyncSession, view: AppView, number: int) -> StreamAppVersion:
    """Return one version of an app.

    Raises:
        ForbiddenError: the person does not see the source system.
        NotFoundError: the app has no version of this number.
    """
    require_inside(view)
    found = await session.get(StreamAppVersion, (view.app.id, number))
    if found is None:
        raise NotFoundError(f"{view.app.name} has no version {number}.", code="stream.version_not_found")
    return found


async def get_versions(
    session: AsyncSession, view: AppView, numbers: Collection[int]
) -> dict[int, StreamAppVersion]:
    """Return some versions of an app by their numbers; those that it has not are left out.

    Raises:
        ForbiddenError: the person does not see the source system.
    """
    require_inside(view)
    wanted = select(StreamAppVersion).where(
        StreamAppVersion.app_id == view.app.id, StreamAppVersion.number.in_(numbers)
    )
    return {version.number: version for version in (await session.scalars(wanted)).all()}


async def save_version(
    session: AsyncSession, user: User, view: AppView, form: VersionForm, ports: StreamPorts
) -> int:
    """Save a statement as the next version, which the app has from now on; return its number.

    An app that is meant to run is deployed again with it. A statement that is as it was makes no version.

    Raises:
        FormError: the statement is refused; the old one stays.
        ContractNeededError: it reads what no contract lets the target have; the old one stays.
        ForbiddenError: the person is no agent of the source system.
        ConflictError: an output Datastream is taken; the old statement stays.
        MetadataError: SensorThings did not answer; the old one stays.
        RunnerError: the runner did not take it; the old one stays.
    """
    require_source_side(view)
    app = view.app
    await session.refresh(app, with_for_update=True)  # the enforcement may be deploying or stopping it
    held = await permission.chosen_ids(session, app)
    specification = await _check(session, user, view, ports, form)
    contracts = [terms.id for terms in specification.contracts]
    if app.statement != form.statement or sorted(held) != sorted(contracts):
        app.statement, app.version, app.changed_at = (
            form.statement,
            await _last_number(session, app) + 1,
            now(),
        )
        session.add(version_of(app, user, contracts, form.note))
    audit.record(
        session, user, "stream.changed", view.app_id, statement=form.statement, version=str(app.version)
    )
    await _deploy(session, view, specification, ports)
    return app.version


async def roll_back(
    session: AsyncSession, user: User, view: AppView, number: int, ports: StreamPorts
) -> None:
    """Let an app have one of its versions again; an app that is meant to run is deployed again with it.

    Raises:
        NotFoundError: the app has no version of this number.
        ForbiddenError: the person is no agent of the source system.
        ConflictError: the app has this version already, or an output Datastream is taken.
        ContractNeededError: its contracts have ended, and no other fits; the present version stays.
        FormError: it is refused by now, for instance because a source has other units; same.
        MetadataError: SensorThings did not answer; same.
        RunnerError: the runner did not take it; same.
    """
    require_source_side(view)
    app = view.app
    await session.refresh(app, with_for_update=True)  # the enforcement may be deploying or stopping it
    version = await get_version(session, view, number)
    if number == app.version:
        raise ConflictError(
            f"{app.name} has version {number} already: choose another one.", code="stream.version_deployed"
        )
    form = StatementForm(statement=version.statement, contracts=tuple(version.contracts))
    specification = await _check(session, user, view, ports, form)
    before, app.version = app.version, number
    app.statement, app.changed_at = version.statement, now()
    audit.record(
        session,
        user,
        "stream.rolled_back",
        view.app_id,
        before={"version": before},
        after={"version": number},
        statement=version.statement,
    )
    await _deploy(session, view, specification, ports)


async def _check(
    session: AsyncSession, user: User, view: AppView, ports: StreamPorts, form: StatementForm
) -> StreamAppSpecification:
    """Check a statement, let the app have the contracts that it needs, and return what it would run.

    Its outputs are registered when it is meant to run: whatever refuses them leaves the app as it was.
    """
    permitted = await permission.rebind(session, view.app, view.permission, form.statement, form.contracts)
    await statements.check_statement(
        session, user, view.source, form.statement, ports.metadata, target=view.target
    )
    specification = specification_of(permitted, form.statement, ports.brokers)
    return await with_outputs(specification, ports) if _is_wanted(view) else specification


def _is_wanted(view: AppView) -> bool:
    return view.is_wanted and view.app.stopped_by is None


async def _deploy(
    session: AsyncSession, view: AppView, specification: StreamAppSpecification, ports: StreamPorts
) -> None:
    """Keep what was changed, and let an app that is meant to run do so with it."""
    await session.flush()
    if _is_wanted(view):
        await start(session, specification, ports)
    await session.commit()


async def _last_number(session: AsyncSession, app: StreamApp) -> int:
    """Return the highest number; the app is held, so nobody takes the next one meanwhile."""
    highest = select(func.max(StreamAppVersion.number)).where(StreamAppVersion.app_id == app.id)
    return await session.scalar(highest) or app.version
