"""Companies as JSON resources."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from platform_ui.accounts.access import LoggedIn
from platform_ui.companies import service
from platform_ui.companies.forms import CompanyForm
from platform_ui.companies.models import Company
from platform_ui.db import Database

router = APIRouter(prefix="/companies", tags=["companies"])


class CompanyAnswer(BaseModel):
    """One company."""

    name: str
    description: str
    created_at: datetime

    @classmethod
    def of(cls, company: Company) -> "CompanyAnswer":
        """Return the public form of a company."""
        return cls(name=company.name, description=company.description, created_at=company.created_at)


class CompanyList(BaseModel):
    """The companies of the person, by name."""

    items: list[CompanyAnswer]


@router.get("")
async def list_companies(database: Database, user: LoggedIn) -> CompanyList:
    """List the companies that you have a part in."""
    companies = await service.list_companies(database, user)
    return CompanyList(items=[CompanyAnswer.of(company) for company in companies])


@router.post("", status_code=HTTPStatus.CREATED)
async def create_company(database: Database, user: LoggedIn, form: CompanyForm) -> CompanyAnswer:
    """Create a company; you become its first owner."""
    return CompanyAnswer.of(await service.create_company(database, user, form))


@router.get("/{name}")
async def show_company(database: Database, user: LoggedIn, name: str) -> CompanyAnswer:
    """Show one company."""
    return CompanyAnswer.of(await service.see_company(database, user, name))


@router.delete("/{name}", status_code=HTTPStatus.NO_CONTENT)
async def delete_company(database: Database, user: LoggedIn, name: str) -> Response:
    """Delete a company that has no systems."""
    await service.delete_company(database, user, name)
    return Response(status_code=HTTPStatus.NO_CONTENT)
