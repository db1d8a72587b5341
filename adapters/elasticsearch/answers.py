"""What Elasticsearch says of a bulk and of each document in it; pure.

What lives here: reading answers, telling a document's fault from the site's, words for people. What does not:
sending, and what follows from an answer (`bulks`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from elastic_transport import TransportError
from elasticsearch import ApiError

from streamhub.errors import StreamAppError

CREATED: Final = 201
OK: Final = 200
BAD_REQUEST: Final = 400
CONFLICT: Final = 409
TOO_LARGE: Final = 413
_ANSWERS: Final = ",".join(
    ("errors", *(f"items.*.{name}" for name in ("status", "error.type", "error.reason", "error.caused_by")))
)
WANTED: Final = {"filter_path": _ANSWERS}
"""What is asked for of an answer."""
WANTED_OF_STREAM: Final = {"filter_path": f"{_ANSWERS},items.*._index,items.*.failure_store"}
"""What is asked for where the index of a document is not known before."""
# These are refused with 400 as well, but another document would be refused in the same way.
_NOT_THE_DOCUMENT: Final = frozenset(
    {
        "validation_exception",  # the cluster has as many shards as it may have
        "index_closed_exception",
        "invalid_index_name_exception",
        "invalid_alias_name_exception",
        "resource_already_exists_exception",
    }
)
# As are these, whose type others share: an alias of several indices, a missing pipeline, too many shards.
_ARGUMENT: Final = "illegal_argument_exception"
_NOT_THE_DOCUMENT_TEXTS: Final = (
    "no write index is defined",
    "can't execute a single index op",
    "pipeline with id [",
    "this action would add [",
)


class Answer(NamedTuple):
    """What the server says of one document.

    Attributes:
        status: As in HTTP.
        place: Index that it is in now; empty when that is not told.
        kind: Type of the error; empty for none.
        reason: What it says of it, for people.
    """

    status: int
    place: str
    kind: str
    reason: str

    @property
    def is_the_document_s_fault(self) -> bool:
        """Whether another document could be taken."""
        is_bad = self.status == BAD_REQUEST and self.kind not in _NOT_THE_DOCUMENT
        is_site = self.kind == _ARGUMENT and any(text in self.reason for text in _NOT_THE_DOCUMENT_TEXTS)
        return is_bad and not is_site


class NoAnswerError(StreamAppError):
    """Say why what was answered tells nothing of the documents."""


_TAKEN: Final = {"create": {"status": CREATED}}
_PLAINLY_TAKEN: Final = Answer(CREATED, "", "", "")
# Source: Elasticsearch, "Failure store": documents that it could not index, kept beside a data stream.
_IN_FAILURE_STORE: Final = "used"


def read_answers(body: object, number: int) -> Sequence[Answer]:
    """Read what the server says of each document.

    Args:
        body: What it has answered.
        number: How many documents were sent.

    Raises:
        NoAnswerError: It is something else than an answer to this bulk.
        KeyError: The same.
    """
    items = body.get("items") if isinstance(body, Mapping) else None
    if not isinstance(items, list):
        raise NoAnswerError("it answers, but not as Elasticsearch does")
    if len(items) != number:
        raise NoAnswerError(f"{number} documents were sent, {len(items)} were answered")
    if not body["errors"] and all(one == _TAKEN for one in items):  # type: ignore[index] # a mapping
        return [_PLAINLY_TAKEN] * number
    return [_answer(one) for one in items]


def _answer(item: object) -> Answer:
    said = next(iter(item.values()), None) if isinstance(item, Mapping) else None
    if not isinstance(said, Mapping) or not isinstance(said.get("status"), int):
        raise NoAnswerError("it answers, but not as Elasticsearch does")
    place = str(said.get("_index", ""))
    if said.get("failure_store") == _IN_FAILURE_STORE:
        return Answer(BAD_REQUEST, place, "failure_store", f"Elasticsearch has put it into {place}")
    error = said.get("error")
    if not isinstance(error, Mapping):
        error = {"type": str(error or said["status"])} if said["status"] >= BAD_REQUEST else {}
    reason = _reason(error) if error else ""
    return Answer(said["status"], place, str(error.get("type", "")), reason)


def _reason(error: Mapping[str, Any]) -> str:
    """Say what Elasticsearch says, with what it says of the cause."""
    parts = [f"{error.get('type')}: {error.get('reason')}"]
    cause = error.get("caused_by")
    while isinstance(cause, Mapping):
        parts.append(f"{cause.get('type')}: {cause.get('reason')}")
        cause = cause.get("caused_by")
    return "; ".join(parts)


def describe(error: Exception) -> str:
    """Say for people what went wrong with a request."""
    if isinstance(error, ApiError):
        body = error.body
        said = body.get("error") if isinstance(body, Mapping) else None
        return f"{error.meta.status} {_reason(said) if isinstance(said, Mapping) else error.message}"
    if isinstance(error, TransportError):
        return f"no answer: {error.message}"
    return str(error) or type(error).__name__
