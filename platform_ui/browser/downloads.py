"""Files that a browser saves instead of showing them."""

import re
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME: Final = 150  # characters; file systems end at 255 bytes


def disposition(name: str) -> str:
    """Return a ``Content-Disposition`` that makes a browser save a file under a name.

    The plain name is for old programs; the encoded one, which others prefer, keeps every character but
    separators and those that cannot be printed.

    Source: RFC 6266, clause 4; RFC 8187, clause 3.2.
    """
    printable = "".join(char if char.isprintable() and char not in '/\\:*?"<>|' else "_" for char in name)
    kept = printable.strip(". ")[:_MAX_NAME] or "download"
    plain = _UNSAFE.sub("_", kept).strip("._") or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(kept, safe='')}"


def attachment(body: bytes, name: str, media_type: str) -> Response:
    """Return a file to save; ``nosniff`` and ``no-store`` come with every answer of the site."""
    return Response(body, media_type=media_type, headers={"Content-Disposition": disposition(name)})
