"""What the stream apps of a company may take of the machine: how many, how much memory, how many cores.

What lives here: reading and changing the limits, and who may. What does not: how much is used
(``streams.usage``) and holding apps to it (the runner). Operators of the platform change them, for all
companies; members see those of their own. What is not set for a company is as the settings say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.accounts.service import require_operator
from platform_ui.audit import service as audit
from platform_ui.companies.models import Company, CompanyLimits, Role
from platform_ui.companies.service import require
from platform_ui.db import now
from platform_ui.errors import NotFoundError
from platform_ui.fields import Form
from platform_ui.limit_settings import (
    LEAST_CPUS,
    LEAST_MEMORY_MB,
    MAX_APPS,
    MAX_CPUS,
    MAX_MEMORY_MB,
    LimitSettings,
)

FIELDS = ("max_apps", "memory_mb", "cpus")


def _unset(value: object) -> object:
    return None if value == "" else value


class LimitsForm(Form):
    """The limits of a company; what is left out or empty is as for all companies."""

    max_apps: Annotated[
        Annotated[int, Field(ge=0, le=MAX_APPS)] | None,
        BeforeValidator(_unset),
        Field(description="Stream apps that may be meant to run at a time."),
    ] = None
    memory_mb: Annotated[
        Annotated[int, Field(ge=LEAST_MEMORY_MB, le=MAX_MEMORY_MB)] | None,
        BeforeValidator(_unset),
        Field(description="Memory of each app [MB]."),
    ] = None
    cpus: Annotated[
        Annotated[float, Field(ge=LEAST_CPUS, le=MAX_CPUS, allow_inf_nan=False)] | None,
        BeforeValidator(_unset),
        Field(description="Processor cores of each app; held where apps run as containers."),
    ] = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts for a company.

    Attributes:
        max_apps: Apps that may be meant to run at a time [1].
        memory_mb: Memory of each app [MB].
        cpus: Processor cores of each app [1].
        own: Which of them an operator has set for this company.
    """

    max_apps: int
    memory_mb: int
    cpus: float
    own: frozenset[str] = frozenset()


def company_of(name: str) -> str:
    """Return the name of the company that a system or stream app of a full name belongs to."""
    return ".".join(name.split(".")[:2])


async def see_limits_of(session: AsyncSession, user: User, name: str) -> Company:
    """Return a company whose limits a person may see: a member of it, or an operator.

    Raises:
        NotFoundError: there is none of this name, or the person is neither.
    """
    if not user.is_operator:
        return await require(session, user, name, Role.MEMBER)
    company = await session.scalar(select(Company).where(Company.name == name))
    if company is None:
        raise NotFoundError(f"There is no company named {name}.", code="company.not_found")
    return company


async def limits_of(session: AsyncSession, name: str, defaults: LimitSettings) -> Limits:
    """Return what counts for a company."""
    return _counting(await _of(session, name), defaults)


async def hold(session: AsyncSession, name: str, defaults: LimitSettings) -> Limits:
    """Return what counts for a company, and let nobody else who holds it go on until the commit."""
    await session.execute(
        select(Company.id).where(Company.name == name).with_for_update(of=Company, key_share=True)
    )
    return await limits_of(session, name, defaults)


async def limits_of_all(session: AsyncSession, defaults: LimitSettings) -> dict[str, Limits]:
    """Return what counts for the companies that have limits of their own, by name."""
    statement = select(Company.name, CompanyLimits).join(Company, Company.id == CompanyLimits.company_id)
    rows = cast("Sequence[tuple[str, CompanyLimits]]", (await session.execute(statement)).all())
    return {name: _counting(row, defaults) for name, row in rows}


async def change_limits(session: AsyncSession, user: User, name: str, form: LimitsForm) -> None:
    """Set the limits of a company; apps that run are held to them within seconds.

    Apps above a lower number go on: the number is looked at when one is to be started.

    Raises:
        NotFoundError: there is no such company, or the person may not see it.
        ForbiddenError: the person is no operator of the platform.
    """
    company = await see_limits_of(session, user, name)
    require_operator(user)
    row = await session.get(CompanyLimits, company.id, with_for_update=True)
    before = _fields(row)
    after = form.model_dump()
    if before == after:
        return
    if row is None:
        row = CompanyLimits(company_id=company.id)
        session.add(row)
    for field, value in after.items():
        setattr(row, field, value)
    row.changed_at, row.changed_by = now(), user.id
    audit.record(session, user, "company.limits_changed", name, before=before, after=after)
    await session.commit()


async def _of(session: AsyncSession, name: str) -> CompanyLimits | None:
    statement = select(CompanyLimits).join(Company, Company.id == CompanyLimits.company_id)
    found: CompanyLimits | None = await session.scalar(statement.where(Company.name == name))
    return found


def _fields(row: CompanyLimits | None) -> dict[str, Any]:
    return {field: None if row is None else getattr(row, field) for field in FIELDS}


def _counting(row: CompanyLimits | None, defaults: LimitSettings) -> Limits:
    own = {field: value for field, value in _fields(row).items() if value is not None}
    common = {field: getattr(defaults, field) for field in FIELDS}
    return Limits(**(common | own), own=frozenset(own))
