"""What happens to the audit log by itself: entries go to the log topics, and its head is signed each day.

What lives here: when. What does not: how (``publisher``, ``sealing``).
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.exc import SQLAlchemyError

from platform_ui.audit import sealing
from platform_ui.audit.publisher import BATCH, LogSink, publish
from platform_ui.db import Sessions, now
from platform_ui.errors import PlatformError
from platform_ui.health import Pulse

_log = logging.getLogger(__name__)

PERIOD_S: Final = 1.0
RETRY_S: Final = 5.0


class AuditKeeper:
    """Sends and seals the log for as long as it runs.

    Args:
        sessions: the platform's database.
        sink: where records for the log topics go.
        key: the audit key; None to seal nothing.
        clock: the present time.

    Attributes:
        pulse: how it goes.
    """

    def __init__(
        self,
        sessions: Sessions,
        sink: LogSink,
        key: Ed25519PrivateKey | None,
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._sessions = sessions
        self._sink = sink
        self._key = key
        self._clock = clock
        self.pulse = Pulse()

    @property
    def public_key(self) -> Ed25519PublicKey | None:
        """The public part of the audit key; nothing when nothing is sealed."""
        return None if self._key is None else self._key.public_key()

    async def run(self) -> None:
        """Keep the log until cancelled."""
        while True:
            pause = PERIOD_S
            try:
                await self.seal_daily()
                while await publish(self._sessions, self._sink) >= BATCH:
                    continue
            except (PlatformError, SQLAlchemyError) as error:
                _log.warning("the audit log cannot be sent or sealed now: %s", error)
                self.pulse.miss(error)
                pause = RETRY_S
            else:
                self.pulse.beat()
            await asyncio.sleep(pause)

    async def seal_daily(self) -> bool:
        """Sign the head of the chain when this was not done today (UTC); tell whether it was done now."""
        if self._key is None:
            return False
        async with self._sessions() as session, session.begin():
            last = await sealing.last_seal(session)
            if last is not None and last.at.date() >= self._clock().date():
                return False
            return await sealing.seal(session, self._key, self._clock()) is not None

    def close(self) -> None:
        """End the connection to Kafka."""
        self._sink.close()
