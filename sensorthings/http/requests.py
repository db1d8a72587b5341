"""Reading requests: bodies within the size limit, media types, the address clients use.

What lives here: what is common to all routes. What does not: routes.
"""

import orjson
from starlette.requests import Request

from sensorthings.errors import BodyError, RequestError
from sensorthings.settings import Settings

_JSON_TYPES = ("", "application/json", "application/merge-patch+json")


async def read_json(request: Request, settings: Settings) -> object:
    """Read a JSON body.

    Raises:
        RequestError: Too large (413), or of another media type (415).
        BodyError: Not JSON.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _JSON_TYPES:
        raise RequestError(
            415, "body.media_type", f"{media_type} is not read here.", "Send application/json."
        )
    body = await _read_limited(request, settings.max_body_bytes)
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError("body.not_json", f"the body is not JSON: {error}") from None
    return parsed


async def _read_limited(request: Request, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise RequestError(
                413, "body.too_large", f"The body is larger than {max_bytes} bytes.", "Send it in parts."
            )
        chunks.append(chunk)
    return b"".join(chunks)


def root_of(request: Request, settings: Settings, version: str) -> str:
    """Give the address of a version as the client sees it, without a slash at the end."""
    base = settings.root_url or str(request.base_url)
    return f"{base.rstrip('/')}/{version}"
