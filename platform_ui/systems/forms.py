"""The forms of systems; their limits are those of the columns."""

from typing import Annotated

from pydantic import StringConstraints

from platform_ui.accounts.forms import MemberForm
from platform_ui.companies.forms import Description
from platform_ui.companies.models import MAX_COMPANY_NAME
from platform_ui.fields import LEVEL_PATTERN, Form
from platform_ui.systems.models import MAX_STATION, MAX_WORKCENTER, SystemRole

Workcenter = Annotated[str, StringConstraints(min_length=2, max_length=MAX_WORKCENTER, pattern=LEVEL_PATTERN)]
Station = Annotated[str, StringConstraints(min_length=2, max_length=MAX_STATION, pattern=LEVEL_PATTERN)]
CompanyName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_COMPANY_NAME)]


class SystemForm(Form):
    """What makes a system of a company."""

    company: CompanyName
    workcenter: Workcenter
    station: Station
    description: Description = ""

    @property
    def name(self) -> str:
        """The full name, ``domain.enterprise.workcenter.station``."""
        return f"{self.company}.{self.workcenter}.{self.station}"


class SystemRoleForm(Form):
    """Another role of a member of a system."""

    role: SystemRole = SystemRole.AGENT


class SystemMemberForm(MemberForm, SystemRoleForm):
    """Whom to give which part in a system."""
