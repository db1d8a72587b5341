"""Plans: compiled statements, kept, so that a request of a known form costs no building and no compiling.

What lives here: a bounded cache from the form of a request to a compiled statement. What does not: running
them.

How it works: building and compiling a statement costs milliseconds of Python, running it a fraction of one.
Requests of clients repeat, except for the ids in their paths, the constants in `$filter` and the place where
a page begins; so these are parameters with known names, and everything else is part of the key.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Select

from sensorthings.access.sight import Sight
from sensorthings.database import Prepared, prepare
from sensorthings.model.times import parse_instant
from sensorthings.odata.nodes import Options
from sensorthings.odata.options import parse_options, query_pairs
from sensorthings.odata.slots import Form, constant_value, form_of, with_slots
from sensorthings.odata.tokens import read_token
from sensorthings.queries.entity_json import ReadContext, json_inside
from sensorthings.queries.pages import FURTHER
from sensorthings.queries.paging import token_name
from sensorthings.queries.resources import Resource, Step
from sensorthings.queries.statements import locate_statement, path_parameters, read_statement

MAX_PLANS: Final = 1024
"""Plans kept; the one unused for the longest time goes first."""
MAX_QUERY: Final = 2048
"""Longest query part whose plan is kept [characters]; longer ones are hardly sent twice."""
_NOT_FURTHER: Final = ("$skip=", "$skiptoken=", "%24skip=", "%24skiptoken=")


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement ready to run.

    Attributes:
        statement: The statement.
        parameters: Values of this request.
    """

    statement: Prepared
    parameters: Mapping[str, Any]

    def values(self, more: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give the values of this request and of who sends it."""
        return {**self.parameters, **more}


@dataclass(frozen=True, slots=True)
class _Slot:
    """A parameter made of a constant: which one, and whether it is taken as a time."""

    name: str
    place: int
    is_time: bool

    def value(self, constants: tuple[str, ...]) -> object:
        """Read the constant of a request."""
        value = constant_value(constants[self.place])
        return parse_instant(value) if self.is_time and isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class _Kept:
    statement: Prepared
    slots: tuple[_Slot, ...]


@dataclass(frozen=True, slots=True)
class _Query:
    """The query part of a URL, taken apart.

    Attributes:
        key: What plans of the same form have in common.
        form: Of `$filter`.
        token: Values of `$skiptoken`.
        further: Of the next link.
    """

    key: tuple[object, ...]
    form: Form
    token: tuple[str | None, ...]
    further: str


_NO_FORM: Final = Form("", ())
_NO_QUERY: Final = _Query((), _NO_FORM, (), "")


class Planner:
    """Turns requests into plans, keeping those of short queries."""

    def __init__(self, *, max_plans: int = MAX_PLANS) -> None:
        self._max_plans = max_plans
        self._plans: OrderedDict[tuple[object, ...], _Kept] = OrderedDict()

    def read(self, resource: Resource, query: str, context: ReadContext) -> Plan:
        """Plan a GET.

        Args:
            resource: The address.
            query: Query part of the URL, still encoded.
            context: Root of the links, page sizes, what may be seen.

        Raises:
            RequestError: The options cannot be read, or do not fit.
        """
        taken = _taken_apart(query)
        if context.spatial.terms:
            # The statement holds values of this moment: it is made for this request alone.
            once = _Kept(_prepared(resource, parse_options(query), context), ())
            return self._filled(once, {}, resource, taken)
        place = (context, resource.shape, resource.members, _signature(resource.steps))
        by_form: tuple[object, ...] = (place, taken.key)
        kept = self._kept(by_form)
        values = None if kept is None else _slot_values(kept, taken.form.constants)
        if kept is not None and values is not None:
            return self._filled(kept, values, resource, taken)
        # A constant that shapes the statement has a plan of its own, by the exact query.
        exactly = (place, query)
        found = self._kept(exactly) or self._make(by_form, exactly, resource, taken, context)
        return self._filled(found, _slot_values(found, taken.form.constants) or {}, resource, taken)

    @staticmethod
    def _filled(kept: _Kept, values: dict[str, Any], resource: Resource, taken: _Query) -> Plan:
        values |= path_parameters(resource)
        values[FURTHER] = taken.further
        values |= {token_name(number): text for number, text in enumerate(taken.token) if text is not None}
        return Plan(kept.statement, values)

    def locate(self, resource: Resource, steps: tuple[Step, ...], sight: Sight) -> Plan:
        """Plan the search for the id of an entity in a path."""
        key = ("locate", sight, _signature(steps))
        kept = self._kept(key)
        if kept is None:
            kept = _Kept(prepare(locate_statement(steps, sight)), ())
            self._keep(key, kept)
        return Plan(kept.statement, path_parameters(resource))

    def _make(
        self,
        by_form: tuple[object, ...],
        exactly: tuple[object, str],
        resource: Resource,
        taken: _Query,
        context: ReadContext,
    ) -> _Kept:
        query = exactly[1]
        options = parse_options(query)
        kept = None if by_form in self._plans else _with_slots(resource, options, taken.form, context)
        key = by_form
        if kept is None:
            kept, key = _Kept(_prepared(resource, options, context), ()), exactly
        if len(query) <= MAX_QUERY:
            self._keep(key, kept)
        return kept

    def _kept(self, key: tuple[object, ...]) -> _Kept | None:
        kept = self._plans.get(key)
        if kept is not None:
            self._plans.move_to_end(key)
        return kept

    def _keep(self, key: tuple[object, ...], kept: _Kept) -> None:
        self._plans[key] = kept
        if len(self._plans) > self._max_plans:
            self._plans.popitem(last=False)


def _prepared(resource: Resource, options: Options, context: ReadContext) -> Prepared:
    statement: Select[Any] = read_statement(resource, options, context)
    return prepare(statement)


def _with_slots(resource: Resource, options: Options, form: Form, context: ReadContext) -> _Kept | None:
    """Compile with the constants of `$filter` as parameters; None where one of them shapes the statement."""
    if not form.constants or options.where is None:
        return _Kept(_prepared(resource, options, context), ())
    where = with_slots(options.where, form.constants)
    if where is None:
        return None
    prepared = _prepared(resource, replace(options, where=where), context)
    names = [name.split("_", 2) for name in prepared.parameters if name.startswith("slot_")]
    slots = tuple(_Slot("_".join(name), int(name[1]), name[2] == "INSTANT") for name in names)
    return (
        _Kept(prepared, slots) if {slot.place for slot in slots} == set(range(len(form.constants))) else None
    )


def _slot_values(kept: _Kept, constants: tuple[str, ...]) -> dict[str, Any] | None:
    """Give the values of all slots; None when one of them cannot be taken as the statement takes it."""
    try:
        return {slot.name: slot.value(constants) for slot in kept.slots}
    except (ValueError, ArithmeticError):
        return None


def _taken_apart(query: str) -> _Query:
    if not query:
        return _NO_QUERY
    key: list[object] = []
    form = _NO_FORM
    token: tuple[str | None, ...] = ()
    for name, text in query_pairs(query):
        if name == "$filter":
            form = form_of(text)
            key.append((name, form.text))
        elif name == "$skiptoken":
            token = read_token(text)
            # Nulls shape the condition, values do not.
            key.append((name, tuple(value is None for value in token)))
        else:
            key.append((name, text))
    parts = [part for part in query.split("&") if part and not part.startswith(_NOT_FURTHER)]
    further = "".join(f"{part}&" for part in parts)
    return _Query(tuple(key), form, token, json_inside(further))


def _signature(steps: tuple[Step, ...]) -> tuple[object, ...]:
    return tuple(
        (step.entity.name, step.relation.name if step.relation else None, step.identifier is None)
        for step in steps
    )
