"""The forms of companies; their limits are those of the columns."""

from typing import Annotated

from pydantic import StringConstraints

from platform_ui.accounts.forms import MemberForm
from platform_ui.companies.models import MAX_DESCRIPTION, MAX_DOMAIN, MAX_ENTERPRISE, Role
from platform_ui.fields import LEVEL_PATTERN, Form

Domain = Annotated[str, StringConstraints(min_length=1, max_length=MAX_DOMAIN, pattern=LEVEL_PATTERN)]
Enterprise = Annotated[str, StringConstraints(min_length=2, max_length=MAX_ENTERPRISE, pattern=LEVEL_PATTERN)]
Description = Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION)]


class CompanyForm(Form):
    """What makes a company."""

    domain: Domain
    enterprise: Enterprise
    description: Description = ""

    @property
    def name(self) -> str:
        """The full name, ``domain.enterprise``."""
        return f"{self.domain}.{self.enterprise}"


class CompanyRoleForm(Form):
    """Another role of a member."""

    role: Role = Role.MEMBER


class CompanyMemberForm(MemberForm, CompanyRoleForm):
    """Whom to give which part in a company."""
