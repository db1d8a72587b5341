"""What topic and index hold, every id with its result and time; knows nothing of the sink's code."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from benchmarks.measuring.content import Content, content_of, distinct_records

_PAGE: Final = 10_000
_FIELDS: Final = ("dt_id", "result", "result_text", "result_json", "phenomenon_time")


def topic_content(bootstrap_servers: str, topics: Sequence[str]) -> Content:
    """Read topics with a plain consumer; records with one dt-id count once."""

    def lines() -> Iterator[bytes]:
        for identifier, message in distinct_records(bootstrap_servers, topics):
            record = json.loads(message.value() or b"")
            yield _line(identifier, record["result"], record["phenomenonTime"])

    return content_of(lines())


def index_content(url: str, index: str) -> Content:
    """Scroll through all documents of an alias or data stream."""

    def lines() -> Iterator[bytes]:
        for hit in scroll(url, index):
            source = hit["_source"]
            result = source.get("result", source.get("result_text"))
            if "result_json" in source:
                result = json.loads(source["result_json"])
            time = source["phenomenon_time"]
            yield _line(source["dt_id"], result, time if "." in time else time.replace("Z", ".000000Z"))

    return content_of(lines())


def scroll(url: str, index: str) -> Iterator[dict[str, Any]]:
    """Give every hit of an index once."""
    body = {"size": _PAGE, "sort": ["_doc"], "_source": list(_FIELDS)}
    page = ask(url, "POST", f"/{index}/_search?scroll=5m", body)
    while page["hits"]["hits"]:
        yield from page["hits"]["hits"]
        page = ask(url, "POST", "/_search/scroll", {"scroll": "5m", "scroll_id": page["_scroll_id"]})
    ask(url, "DELETE", "/_search/scroll", {"scroll_id": page["_scroll_id"]})


def ask(url: str, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
    """Ask Elasticsearch by plain HTTP.

    Raises:
        urllib.error.URLError: It does not answer, or refuses.
    """
    request = urllib.request.Request(  # noqa: S310 - an address of this run
        url + path,
        method=method,
        data=None if body is None else orjson.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - same
        return orjson.loads(answer.read())


def count(url: str, index: str) -> int:
    """Count what can be found; 0 while there is nothing, or nobody answers."""
    try:
        return int(ask(url, "GET", f"/{index}/_count")["count"])
    except (urllib.error.URLError, OSError):
        return 0


def _line(identifier: str, result: object, time: str) -> bytes:
    if isinstance(result, bool | list | dict) or result is None:
        return f"{identifier} {json.dumps(result, sort_keys=True)} {time}".encode()
    return f"{identifier} {result!r} {time}".encode()
