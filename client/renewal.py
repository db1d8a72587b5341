"""Certificates that change while a client runs: noticed, and taken into use without losing a record.

What lives here: the thread that looks at the certificate files, has them renewed when it is time, and lets
producer and consumer connect anew. What does not: asking for a new certificate (`client.enrolment`).

Files may also be changed by somebody else, such as an edge agent: what counts is what they hold.
"""

import hashlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException

from client.enrolment import renewal_of
from client.errors import DigitalTwinError
from client.messaging.security import KafkaSecurity

_log = logging.getLogger(__name__)

# New records wait at most so long for those on their way; without a broker the old connections stay [s].
_TAKE_OVER_S: Final = 5.0


class CertificateWatch:
    """Looks at the certificate of a client every now and then.

    Args:
        security: Names the files; without a certificate there is nothing to watch.
        reopen: Lets producer and consumer connect anew; says whether that was done.
        period_s: How often to look [s].
        renew: Has the files renewed when it is time; by the platform that the environment names when None.
    """

    def __init__(
        self,
        security: KafkaSecurity,
        reopen: Callable[[float], bool],
        period_s: float,
        renew: Callable[[], None] | None = None,
    ) -> None:
        self._files = [Path(file) for file in (security.certificate_file, security.key_file) if file]
        self._reopen = reopen
        self._renew = renew or renewal_of(security)
        self._period_s = period_s
        self._in_use = self._fingerprint()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dtwin-certificate", daemon=True)

    def start(self) -> None:
        """Begin to look, unless there is no certificate."""
        if self._files:
            self._thread.start()

    def stop(self) -> None:
        """Look no more; waits for a renewal under way."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Renew the files if it is time, and take them into use if they have changed."""
        if self._renew is not None:
            try:
                self._renew()
            except DigitalTwinError as error:
                _log.warning("the certificate was not renewed, which is tried again: %s", error)
        present = self._fingerprint()
        if present in {"", self._in_use}:
            return
        try:
            is_done = self._reopen(_TAKE_OVER_S)
        except KafkaException as error:
            # Somebody is replacing the files just now: one is new, the other one still old.
            _log.warning("the new certificate cannot be used yet: %s", error.args[0].str())
            return
        if is_done:
            self._in_use = present
            _log.info("connected anew with the certificate in %s", self._files[0])

    def _fingerprint(self) -> str:
        try:
            return hashlib.sha256(b"".join(file.read_bytes() for file in self._files)).hexdigest()
        except OSError as error:
            _log.warning("the certificate cannot be read; connections go on as they are: %s", error)
            return ""

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            self.look()
