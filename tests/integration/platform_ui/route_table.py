"""Every route of the site as it is served: tests that are generated from it cover new routes by themselves.

The list of the application itself holds whole routers, not their routes: iterating over it finds next to
nothing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant

_PARAMETER = re.compile(r"\{([a-z_]+)(?::[a-z]+)?\}")


@dataclass(frozen=True, slots=True)
class Served:
    """One route.

    Attributes:
        method: HTTP method.
        path: its pattern, prefix included, such as ``/systems/{name}``.
        query: names of its query parameters.
        name: name of its handler, with module.
    """

    method: str
    path: str
    query: tuple[str, ...]
    name: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the path."""
        return tuple(_PARAMETER.findall(self.path))

    def address(self, **values: str) -> str:
        """Return an address; values are put in as they are."""
        return _PARAMETER.sub(lambda found: values[found[1]], self.path)


def served_routes(app: FastAPI) -> list[Served]:
    """Return every route with its method, files left out."""
    found = {str(route): route for route in _walk(app.routes)}
    assert len(found) > 50, "the route table cannot be read any more"
    return [found[name] for name in sorted(found)]


def _walk(routes: Iterable[Any]) -> Iterator[Served]:
    for route in routes:
        if hasattr(route, "effective_candidates"):
            yield from _walk(route.effective_candidates())
            continue
        dependant = getattr(route, "dependant", None)
        endpoint = getattr(route, "endpoint", None)
        if not getattr(route, "methods", None) or endpoint is None:
            continue
        for method in route.methods:
            name = f"{endpoint.__module__}.{endpoint.__qualname__}"
            yield Served(method, route.path, tuple(_query(dependant)), name)


def _query(dependant: Dependant | None) -> Iterator[str]:
    if dependant is None:
        return
    for field in dependant.query_params:
        yield field.alias
    for further in dependant.dependencies:
        yield from _query(further)
