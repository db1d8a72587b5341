"""Companies as JSON resources."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.companies import descriptions, service
from platform_ui.companies.descriptions import DescriptionForm
from platform_ui.companies.forms import CompanyForm
from platform_ui.companies.listing import page_of_companies
from platform_ui.companies.models import Company, Role
from platform_ui.db import Database
from platform_ui.rest.paging import PageQuery

router = APIRouter(prefix="/companies", tags=["companies"])


class CompanyAnswer(BaseModel):
    """One company."""

    name: str
    description: str
    requires_second_factor: bool
    created_at: datetime

    @classmethod
    def of(cls, company: Company) -> "CompanyAnswer":
        """Return the public form of a company."""
        return cls(
            name=company.name,
            description=company.description,
            requires_second_factor=company.requires_second_factor,
            created_at=company.created_at,
        )


class CompanyChange(DescriptionForm):
    """What of a company is to be other than it is; what is left out stays."""

    requires_second_factor: bool | None = None


class CompanyList(BaseModel):
    """One page of the companies of the person, by name."""

    items: list[CompanyAnswer]
    next_page_token: str | None = None


@router.get("")
async def list_companies(database: Database, user: LoggedIn, page: PageQuery) -> CompanyList:
    """List the companies that you have a part in."""
    found = await page_of_companies(database, user, page)
    items = [CompanyAnswer.of(row.company) for row in found.items]
    return CompanyList(items=items, next_page_token=found.next_page_token)


@router.post("", status_code=HTTPStatus.CREATED)
async def create_company(database: Database, user: LoggedIn, form: CompanyForm) -> CompanyAnswer:
    """Create a company; you become its first owner."""
    return CompanyAnswer.of(await service.create_company(database, user, form))


@router.get("/{name}")
async def show_company(database: Database, user: LoggedIn, name: str) -> CompanyAnswer:
    """Show one company."""
    return CompanyAnswer.of(await service.see_company(database, user, name))


@router.patch("/{name}")
async def change_company(database: Database, user: LoggedIn, name: str, form: CompanyChange) -> CompanyAnswer:
    """Describe a company, as its admin; ask a second factor of its people or no longer, as its owner."""
    least = Role.ADMIN if form.requires_second_factor is None else Role.OWNER
    company = await service.require(database, user, name, least, lock=True)
    await descriptions.change(database, user, company, form.description)
    if form.requires_second_factor is not None:
        await service.require_second_factor(database, user, name, required=form.requires_second_factor)
    return CompanyAnswer.of(company)


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
async def delete_company(database: Database, user: LoggedIn, name: str) -> Response:
    """Delete a company that has no systems."""
    await service.delete_company(database, user, name)
    return Response(status_code=HTTPStatus.NO_CONTENT)
