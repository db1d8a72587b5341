"""All tables of the platform in one place, for migrations and the check that migrations and models agree."""

from sqlalchemy import MetaData

from platform_ui.accounts import models as accounts
from platform_ui.accounts import oidc_models as identities
from platform_ui.audit import models as audit
from platform_ui.clients import models as clients
from platform_ui.companies import models as companies
from platform_ui.contracts import models as contracts
from platform_ui.contracts.offers import models as offers
from platform_ui.credentials import models as credentials
from platform_ui.db import Model
from platform_ui.rest import models as rest
from platform_ui.streams import models as streams
from platform_ui.systems import models as systems

MODELS = (
    accounts,
    identities,
    audit,
    companies,
    systems,
    clients,
    credentials,
    contracts,
    offers,
    streams,
    rest,
)
METADATA: MetaData = Model.metadata
