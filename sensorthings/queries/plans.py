"""Plans: compiled statements, kept, so that a request seen before costs no building and no compiling.

What lives here: a bounded cache from the shape of a request to SQL text and parameters. What does not:
running them.

How it works: building and compiling a statement costs milliseconds of Python, running it a fraction of one.
Requests of clients repeat, except for the ids in their paths; so ids and path are parameters with known
names, and everything else is part of the key.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select
from sqlalchemy.engine import Dialect

from sensorthings.odata.options import parse_options
from sensorthings.queries.entity_json import ReadContext
from sensorthings.queries.statements import (
    Resource,
    Step,
    locate_statement,
    path_parameters,
    read_statement,
)

MAX_PLANS = 1024
"""Plans kept; the one unused for the longest time goes first."""
MAX_QUERY = 2048
"""Longest query part whose plan is kept [characters]; longer ones are hardly sent twice."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement ready to run.

    Attributes:
        sql: Text for the driver.
        parameters: Values by name.
    """

    sql: str
    parameters: Mapping[str, Any]


class Planner:
    """Turns requests into plans, keeping those of short queries."""

    def __init__(self, dialect: Dialect, *, max_plans: int = MAX_PLANS) -> None:
        self._dialect = dialect
        self._max_plans = max_plans
        self._plans: OrderedDict[tuple[object, ...], Plan] = OrderedDict()

    def read(self, resource: Resource, query: str, context: ReadContext) -> Plan:
        """Plan a GET.

        Args:
            resource: The address.
            query: Query part of the URL, still encoded.
            context: Root of the links, page sizes.

        Raises:
            RequestError: The options cannot be read, or do not fit.
        """
        key = (context, query, resource.shape, resource.members, _signature(resource.steps))

        def build() -> Select[Any]:
            return read_statement(resource, parse_options(query), context)

        return self._plan(key, build, resource, is_kept=len(query) <= MAX_QUERY)

    def locate(self, resource: Resource, steps: tuple[Step, ...]) -> Plan:
        """Plan the search for the id of an entity in a path."""

        def build() -> Select[Any]:
            return locate_statement(steps)

        return self._plan(("locate", _signature(steps)), build, resource, is_kept=True)

    def _plan(
        self, key: tuple[object, ...], build: Callable[[], Select[Any]], resource: Resource, *, is_kept: bool
    ) -> Plan:
        plan = self._plans.get(key)
        if plan is None:
            compiled = build().compile(dialect=self._dialect)
            plan = Plan(str(compiled), compiled.params)
            if is_kept:
                self._keep(key, plan)
        else:
            self._plans.move_to_end(key)
        mine = path_parameters(resource)
        # Only names the statement has: the path of an entity, say, is not part of its statement.
        changed = {name: value for name, value in mine.items() if name in plan.parameters}
        return Plan(plan.sql, {**plan.parameters, **changed})

    def _keep(self, key: tuple[object, ...], plan: Plan) -> None:
        self._plans[key] = plan
        if len(self._plans) > self._max_plans:
            self._plans.popitem(last=False)


def _signature(steps: tuple[Step, ...]) -> tuple[object, ...]:
    return tuple(
        (step.entity.name, step.relation.name if step.relation else None, step.identifier is None)
        for step in steps
    )
