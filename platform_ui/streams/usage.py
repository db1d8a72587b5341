"""What the stream apps of a company take of what it may: counted from what the runner sees.

What lives here: counting, and refusing one app too many. What does not: the limits themselves
(``companies.limits``), and holding each app to its memory and cores (the runner).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.companies import limits
from platform_ui.companies.limits import company_of
from platform_ui.errors import ConflictError
from platform_ui.limit_settings import LimitSettings
from platform_ui.streams.runner_port import Status, StreamRunner
from platform_ui.streams.running import states_of
from streamhub.runner.limits import MEGABYTE


@dataclass(frozen=True, slots=True)
class Usage:
    """What the stream apps of a company take.

    Attributes:
        apps: Apps that are meant to run [1].
        most_memory_mb: Memory of the app that takes most [MB]; nothing when none says.
        hungriest: That app.
    """

    apps: int
    most_memory_mb: float | None = None
    hungriest: str | None = None


async def usage_of(company: str, runner: StreamRunner) -> Usage:
    """Ask the runner what the apps of a company take.

    Raises:
        RunnerError: the runner's files cannot be read.
    """
    return _used(company, (await states_of(runner)).values())


async def require_room(
    session: AsyncSession, app_id: str, runner: StreamRunner, defaults: LimitSettings
) -> None:
    """Refuse one app too many; whoever else of the company starts one waits until the commit.

    Raises:
        ConflictError: as many apps as the company may run are meant to run already.
        RunnerError: the runner's files cannot be read.
    """
    company = company_of(app_id)
    held = await limits.hold(session, company, defaults)
    others = [one for one in (await states_of(runner)).values() if one.app_id != app_id]
    used = _used(company, others)
    if used.apps >= held.max_apps:
        raise ConflictError(
            f"{company} may run {held.max_apps} stream apps at a time, and {used.apps} are meant to run.",
            code="company.too_many_apps",
            hint="Stop one of them, or ask an operator of the platform for more.",
        )


def _used(company: str, statuses: Iterable[Status]) -> Usage:
    wanted = [one for one in statuses if one.desired == "running" and company_of(one.app_id) == company]
    taken = [
        (one.progress.memory_bytes, one.app_id)
        for one in wanted
        if one.progress is not None and one.progress.memory_bytes is not None
    ]
    if not taken:
        return Usage(len(wanted))
    most, app_id = max(taken)
    return Usage(len(wanted), most / MEGABYTE, app_id)
