"""Numbers as MQTT writes the length of what follows.

What lives here: writing them. What does not: reading, of which broker and bridge each refuse what is wrong in
their own way (`local_broker.reading`, `bridge.tolerant`).
"""


def variable_byte_integer(value: int) -> bytes:
    """Write a number in as few bytes as it takes; source: MQTT 5.0, clause 1.5.5.

    Args:
        value: The number, not negative.
    """
    found = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        found.append(low | (0x80 if value else 0))
        if not value:
            return bytes(found)
