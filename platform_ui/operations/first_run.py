"""The first visit of a fresh platform: who may set it up, and that this happens once.

What lives here: the setup code, whether the platform waits to be set up, and making the first person. What
does not: the pages (``welcome_pages``), what is looked at meanwhile (``checks``).

How it works: as long as nobody has ever had an account, whoever comes to the site is led to the wizard. In
production they must show the setup code, which stands in the platform's log and nowhere else: so a stranger
who is quicker than the operator gains nothing. The code is made anew with every start; only its hash is in
memory. Of several processes behind one address, each has a code of its own: set the platform up with one
process, then start the others.
"""

import hashlib
import hmac
import logging
import secrets
from http import HTTPStatus
from typing import Final, cast

from sqlalchemy import exists, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from platform_ui.accounts import limits, service
from platform_ui.accounts.forms import SignUpForm
from platform_ui.accounts.limits import Limit
from platform_ui.accounts.models import User
from platform_ui.accounts.origin import Origin
from platform_ui.audit import service as audit
from platform_ui.audit.models import AuditEntry
from platform_ui.db import Sessions
from platform_ui.errors import ConflictError, FormError

_log = logging.getLogger(__name__)

WELCOME: Final = "/welcome"
SETUP: Final = Limit(
    "setup", here=20, everywhere=1_000_000
)  # nobody guesses 96 bits; the operator must not be held up
_LED_AWAY: Final = ("/", "/login", "/signup")
_LOCK: Final = 190822  # any number, the same in every process; the audit log has the one before
_GROUPS, _GROUP_BYTES = 4, 3
_MOST_BROWSERS: Final = 100


class FirstRun:
    """Whether the platform waits for its first person, and who may be it.

    Args:
        asks_for_code: Whether the setup code must be shown; a demonstration does without.
    """

    def __init__(self, *, asks_for_code: bool) -> None:
        self.asks_for_code = asks_for_code
        self._code_hash = ""
        self._browsers: list[str] = []
        self._is_over = False

    def new_code(self) -> str:
        """Make a setup code, the only one that counts from now on, and return it."""
        code = "-".join(secrets.token_hex(_GROUP_BYTES) for _ in range(_GROUPS))
        self._code_hash = _hash_of(code)
        return code

    def is_code(self, code: str) -> bool:
        """Tell whether this is the setup code; never when none was made."""
        return bool(self._code_hash) and hmac.compare_digest(_hash_of(code.strip().lower()), self._code_hash)

    def let_in(self, browser: str) -> None:
        """Remember that a browser has shown the code.

        Args:
            browser: Its token.
        """
        self._browsers = [*self._browsers, _hash_of(browser)][-_MOST_BROWSERS:]

    def is_let_in(self, browser: str) -> bool:
        """Tell whether a browser may set the platform up."""
        return not self.asks_for_code or _hash_of(browser) in self._browsers

    async def is_waiting(self, session: AsyncSession) -> bool:
        """Tell whether nobody has ever had an account; once that is over, nothing is asked any more."""
        if not self._is_over:
            someone = exists().select_from(User)
            # Also when all accounts are gone: a platform that was in use is not there for the taking.
            someone_once = exists().where(AuditEntry.action == "account.created")
            if await session.scalar(select(someone | someone_once)):
                self._end()
        return not self._is_over

    async def make_first_person(self, session: AsyncSession, form: SignUpForm) -> User:
        """Make the account of the operator, which is the first one; of two at the same time, one is.

        Raises:
            FormError: the password is too easy to guess.
            ConflictError: somebody was faster.
        """
        service.refuse_weak(form.password, form.email, form.first_name, form.last_name)
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not await self.is_waiting(session):
            raise ConflictError(
                "This platform has been set up already.",
                code="setup.done",
                hint="Log in, or sign up and ask its operator.",
            )
        audit.record(session, audit.PLATFORM, "platform.set_up", audit.PLATFORM_NAME, operator=form.email)
        user = await service.create_user(
            session,
            email=form.email,
            first_name=form.first_name,
            last_name=form.last_name,
            password=form.password,
            is_operator=True,
        )
        self._end()
        return user

    def _end(self) -> None:
        self._is_over, self._code_hash, self._browsers = True, "", []


async def check_code(first_run: FirstRun, session: AsyncSession, code: str, origin: Origin) -> None:
    """Check the setup code that somebody shows.

    Raises:
        TooManyAttemptsError: it was tried too often.
        FormError: it is another one.
    """
    await limits.attempt(session, SETUP, "", origin)
    if first_run.asks_for_code and not first_run.is_code(code):
        raise FormError(
            {"code": "This is not the setup code: it is in the platform's log, new with every start."},
            code="setup.wrong_code",
        )
    await limits.forget(session, SETUP, "", origin)


async def announce(first_run: FirstRun, sessions: Sessions, address: str) -> None:
    """Write the setup code into the log, when the platform waits for its first person and asks for it.

    Args:
        first_run: the wizard.
        sessions: the database.
        address: where the site is.
    """
    try:
        async with sessions() as session:
            is_waiting = await first_run.is_waiting(session)
    except SQLAlchemyError as error:
        _log.warning("it cannot be told whether the platform is set up: %s", type(error).__name__)
        is_waiting = True
    if is_waiting and first_run.asks_for_code:
        _log.warning("Nobody has an account yet. Set the platform up at %s%s", address, WELCOME)
        _log.warning("setup code: %s", first_run.new_code())


class FirstRunMiddleware:
    """Leads whoever comes to the door to the wizard, while the platform waits to be set up."""

    def __init__(self, app: ASGIApp, first_run: FirstRun) -> None:
        self._app = app
        self._first_run = first_run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one exchange."""
        if scope["type"] == "http" and _is_door(scope["path"]) and await self._is_waiting(scope):
            response = RedirectResponse(WELCOME, status_code=HTTPStatus.SEE_OTHER)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _is_waiting(self, scope: Scope) -> bool:
        try:
            async with cast(Sessions, scope["app"].state.sessions)() as session:
                return await self._first_run.is_waiting(session)
        except SQLAlchemyError:
            return False  # the page that is wanted says what is wrong


def _is_door(path: str) -> bool:
    return path in _LED_AWAY or path.startswith("/login/")


def _hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
