"""The address `/$batch`: from a request to the answer of all its parts.

What lives here: which form a batch has, preferences. What does not: the forms, running.
"""

from sensorthings.errors import RequestError
from sensorthings.http.batch.json_form import is_json, read_json_batch, render_json_batch
from sensorthings.http.batch.multipart import MEDIA_TYPE, read_multipart_batch, render_multipart_batch
from sensorthings.http.batch.parts import check_items
from sensorthings.http.batch.running import Run
from sensorthings.http.messages import Answer, Request
from sensorthings.http.ports import Service


async def answer_batch(service: Service, request: Request) -> Answer:
    """Answer a batch, in the form that it has.

    Every part is answered, also after one that failed, as FROST-Server does and its clients rely on.
    `Prefer: continue-on-error=false` stops after the first failure (OData 4.01 Part 1, clause 8.2.8.3, which
    takes that for the default).

    Raises:
        RequestError: The batch is neither JSON nor multipart/mixed (415).
        BodyError: The batch cannot be read; nothing of it was done.
    """
    is_multipart = request.media_type == MEDIA_TYPE
    if is_multipart:
        items = read_multipart_batch(request.body, request.headers.get("content-type", ""))
    elif request.media_type == "" or is_json(request.media_type):
        items = read_json_batch(request.body)
    else:
        raise RequestError(
            415,
            "body.media_type",
            f"{request.media_type} is no batch.",
            f"Send application/json, or {MEDIA_TYPE} with a boundary.",
        )
    check_items(items)
    wish = _continues(request)
    results = await Run(service, request, stops=wish is False).answer(items)
    answer = render_multipart_batch(results) if is_multipart else render_json_batch(results)
    if wish is None:
        return answer
    applied = {"Preference-Applied": f"continue-on-error={'true' if wish else 'false'}"}
    return Answer(answer.status, answer.body, answer.media_type, applied)


def _continues(request: Request) -> bool | None:
    """Read the preference: whether to go on after a failure; None when nothing is said."""
    for wish in request.headers.get("prefer", "").lower().split(","):
        name, _, value = wish.strip().partition("=")
        if name.strip() in ("continue-on-error", "odata.continue-on-error"):
            return value.strip().strip('"') != "false"
    return None
