"""The file with sessions and retained values, so that they survive a restart of the broker.

What lives here: its form, reading and writing. What does not: when it is written (`broker`).

It is written every few seconds and in the end: after a crash, what was acknowledged since is lost.
"""

import base64
import json
import logging
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from adapters.mqtt.local_broker.packets import Wanted
from adapters.mqtt.local_broker.queues import Message, Outbox
from adapters.mqtt.local_broker.sessions import Session, Sessions

_log = logging.getLogger(__name__)

_FILE: Final = "sessions.json"
_FORM: Final = 1


class Store:
    """Keeps what must survive, in one folder.

    Args:
        folder: The folder; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = folder / _FILE

    def load(self, sessions: Sessions, most_waiting: int, most_inflight: int) -> None:
        """Bring back what was saved; a file that cannot be read is put aside, and the log says so."""
        try:
            document = json.loads(self._file.read_bytes())
            kept = [_session(one, most_waiting, most_inflight) for one in document["sessions"]]
            retained = [_message(one) for one in document["retained"]]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            aside = self._file.with_suffix(".broken")
            self._file.replace(aside)
            _log.warning("saved sessions cannot be read (%s): they are in %s now", error, aside)
            return
        for session in kept:
            sessions.add(session)
        for message in retained:
            sessions.retain(message)

    def save(self, document: bytes) -> None:
        """Replace the file at once.

        Raises:
            OSError: It cannot be written.
        """
        fresh = self._file.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)


def document_of(sessions: Sessions) -> bytes:
    """Write down all that must survive."""
    document = {
        "form": _FORM,
        "sessions": [_kept(session) for session in sessions if session.is_kept],
        "retained": [_written(message) for message in sessions.retained.values()],
    }
    return json.dumps(document).encode()


def _kept(session: Session) -> dict[str, Any]:
    return {
        "client": session.client,
        "subject": session.subject,
        "expiry_s": session.expiry_s,
        "left_at": session.left_at,
        "subscriptions": [asdict(one) for one in session.subscriptions.values()],
        "unreleased": sorted(session.unreleased),
        "inflight": [
            [identifier, _written(message)] for identifier, message in session.outbox.inflight.items()
        ],
        "waiting": [_written(message) for message in session.outbox.waiting if message.qos],
    }


def _session(document: dict[str, Any], most_waiting: int, most_inflight: int) -> Session:
    outbox = Outbox(most_waiting, most_inflight)
    for identifier, message in document["inflight"]:
        outbox.keep(int(identifier), _message(message))
    for message in document["waiting"]:
        outbox.put(_message(message))
    wanted = [Wanted(**one) for one in document["subscriptions"]]
    return Session(
        str(document["client"]),
        str(document["subject"]),
        int(document["expiry_s"]),
        outbox=outbox,
        subscriptions={one.text: one for one in wanted},
        unreleased={int(identifier) for identifier in document["unreleased"]},
        # Who was connected when the broker ended has lost the connection now.
        left_at=float(document["left_at"]) or time.time(),
    )


def _written(message: Message) -> list[Any]:
    payload, properties = (base64.b64encode(one).decode() for one in (message.payload, message.properties))
    return [message.topic, payload, message.qos, message.is_retained, properties]


def _message(document: list[Any]) -> Message:
    topic, payload, qos, is_retained, properties = document
    return Message(
        str(topic), base64.b64decode(payload), int(qos), bool(is_retained), base64.b64decode(properties)
    )
