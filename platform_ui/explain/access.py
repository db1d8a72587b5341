"""What the handlers of questions need to know."""

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.explain.asking import Knowledge
from platform_ui.settings import PlatformSettings
from platform_ui.streams.runner_port import StreamRunner


def knowledge_of(request: Request, session: AsyncSession, runner: StreamRunner, user: User) -> Knowledge:
    """Return where answers for a person come from."""
    settings: PlatformSettings = request.app.state.settings
    return Knowledge(session, runner, settings.acl.principals, user)
