"""What a record says, as far as the database can keep it; pure.

What lives here: what PostgreSQL refuses. What does not: reading records (`streamhub.engine.sinks.reading`),
which Datastream is meant (`catalogue`).
"""

from typing import Final

from client.errors import RecordFormatError
from sensorthings.store.batches import is_storable
from streamhub.engine.records import Record
from streamhub.engine.sinks.reading import Marks, Reading
from streamhub.engine.sinks.reading import read_record as read_any_record

CODE_NOT_STORABLE: Final = "record.not_storable"
_ZERO: Final = b"\\u0000"


def read_record(message: Record, marks: Marks) -> Reading:
    """Read the observation of a record.

    Raises:
        RecordFormatError: There is none in it that could be stored; its code tells why.
    """
    reading = read_any_record(message, marks)
    # Only a text that is not there yet: most records pay for the search alone.
    if _ZERO in (message.value() or b"") and not is_storable(
        [reading.result, reading.quality, reading.parameters]
    ):
        raise RecordFormatError(CODE_NOT_STORABLE, "a text holds U+0000, which the database does not keep")
    return reading
