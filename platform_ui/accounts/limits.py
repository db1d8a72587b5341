"""How often something may be tried: passwords, codes, tokens, sign-ups, links.

What lives here: the limits and the table behind them. What does not: what is tried.

An attempt is written down and committed before it is made, then counted, so that requests at the same moment
cannot all slip below the limit; one that succeeds is forgotten. Counted are the attempts on one subject from
one address, on one subject from everywhere (high, so that a stranger cannot easily lock somebody out), and
from one address on all subjects (the operator's setting).

Source: OWASP ASVS 5.0, 6.3.1 (brute force), 2.4.1 (automation); NIST SP 800-63B-4, clause 3.2.2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import MAX_EMAIL, Attempt
from platform_ui.accounts.origin import Origin
from platform_ui.db import now
from platform_ui.errors import TooManyAttemptsError

QUARTER = timedelta(minutes=15)
LONGEST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """How often one action may be tried.

    Attributes:
        action: a word for the table.
        here: attempts on one subject from one address.
        everywhere: attempts on one subject from all addresses.
        window: how long an attempt counts, at most `LONGEST`.
    """

    action: str
    here: int
    everywhere: int
    window: timedelta = QUARTER


PASSWORD = Limit("password", here=5, everywhere=50)
CODE = Limit("code", here=5, everywhere=10)
TOKEN = Limit("token", here=20, everywhere=1_000_000)
SIGN_UP = Limit("sign-up", here=5, everywhere=20, window=LONGEST)
RESET = Limit("reset", here=3, everywhere=5, window=LONGEST)
INVITATION = Limit("invitation", here=50, everywhere=50, window=LONGEST)
LINK = Limit("link", here=20, everywhere=1_000_000)


async def attempt(session: AsyncSession, limit: Limit, subject: str, origin: Origin) -> None:
    """Write an attempt down, and refuse it when there were too many.

    Args:
        session: the database; what is pending in it is committed.
        limit: what is tried.
        subject: whose, for instance an e-mail address; empty when only the address is known.
        origin: where the request comes from.

    Raises:
        TooManyAttemptsError: try again later; the attempt that is refused counts as well.
    """
    subject = subject[:MAX_EMAIL]
    present = now()
    session.add(Attempt(action=limit.action, subject=subject, address=origin.address, at=present))
    await session.commit()
    since = Attempt.action == limit.action, Attempt.at > present - limit.window
    everywhere = await _times(session, *since, Attempt.subject == subject, most=limit.everywhere)
    here = await _times(
        session, *since, Attempt.subject == subject, Attempt.address == origin.address, most=limit.here
    )
    address = await _times(
        session, *since, Attempt.address == origin.address, most=origin.attempts_per_address
    )
    full = [
        times[-1]
        for times, most in (
            (everywhere, limit.everywhere),
            (here, limit.here),
            (address, origin.attempts_per_address),
        )
        if len(times) > most
    ]
    if full:
        # Attempts of the same moment may have been written down after this one looked at the clock.
        wait = min(max(full) - present, timedelta()) + limit.window
        raise TooManyAttemptsError(max(1, math.ceil(wait.total_seconds())))


async def _times(session: AsyncSession, *conditions: object, most: int) -> Sequence[datetime]:
    """Return the newest times, one more than may be: the last of them must pass before the next attempt."""
    statement = select(Attempt.at).order_by(Attempt.at.desc()).limit(most + 1)
    return (await session.scalars(statement.where(*conditions))).all()  # type: ignore[arg-type]


async def forget(session: AsyncSession, limit: Limit, subject: str, origin: Origin) -> None:
    """Take back what was written down for somebody who has proven to be the right one; not committed."""
    await session.execute(
        delete(Attempt).where(
            Attempt.action == limit.action,
            Attempt.subject == subject[:MAX_EMAIL],
            Attempt.address == origin.address,
        )
    )


async def sweep(session: AsyncSession) -> None:
    """Remove attempts that no limit counts any more; not committed."""
    await session.execute(delete(Attempt).where(Attempt.at < now() - LONGEST))
