"""Taking what may not leave out of a value, without touching the rest.

Lives here: ``trimmer``. Does not live here: what may leave (``streamhub.query.restriction``).
"""

from collections.abc import Callable

import msgspec

from client.errors import RecordFormatError
from streamhub.query.execution.rows import DECODING_ERRORS, reason_for

__all__ = ["trimmer"]


def trimmer(leaving: frozenset[str]) -> Callable[[bytes | None], bytes | None]:
    """Make the function that takes what may not leave out of a value.

    It gives the very bytes when nothing has to go, else compact JSON with the members in their old order and
    everything inside of them as it was written. A value that is no JSON object raises RecordFormatError.

    Args:
        leaving: Names of the members that may leave.

    >>> trimmer(frozenset({"result"}))(b'{"result": 1.50, "secret": 7}')
    b'{"result":1.50}'
    """
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    encode = msgspec.json.Encoder().encode
    includes = leaving.issuperset

    def trim(value: bytes | None) -> bytes | None:
        if value is None:
            return None
        try:
            members = decode(value)
            if not value.isascii():
                str(value, "utf-8")
        except DECODING_ERRORS as error:
            raise RecordFormatError(*reason_for(value, error)) from error
        if includes(members):
            return value
        return encode({name: raw for name, raw in members.items() if name in leaving})

    return trim
