"""Which Datastreams a source of a statement can deliver, and the unit that they have in common.

Lives here: judging the conditions on the key for every Datastream that is known. Does not live here: the
units of what is computed from them (``checking``).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from streamhub.query import nodes
from streamhub.query.compiling import compile_statement
from streamhub.query.execution.folding import fold, key_comparisons
from streamhub.query.execution.statement import CompiledStatement
from streamhub.query.nodes import Expression
from streamhub.query.quantities.quantity import Knowledge, Mixed, Quantity
from streamhub.query.rendering import render_expression
from streamhub.query.units.codes import unit_or_none
from streamhub.query.units.unit import Unit

__all__ = ["datastreams_of", "units_of_sources"]


def units_of_sources(tree: nodes.Statement, units: Mapping[str, str | None]) -> dict[str | None, Knowledge]:
    """Tell the unit of the results of each source.

    Args:
        tree: A checked statement.
        units: Unit, as the device maker wrote it, of every Datastream of the source systems, by full name.

    Returns:
        What is known by alias; with one source also under None.
    """
    found = {
        source.alias: _common_unit(datastreams_of(tree, source, units), units) for source in tree.streams
    }
    if len(tree.streams) == 1:
        found[None] = found[tree.streams[0].alias]
    return found


def datastreams_of(tree: nodes.Statement, source: nodes.Source, names: Iterable[str]) -> list[str]:
    """List the Datastreams of which a source of a statement can deliver records, in the given order.

    Args:
        tree: A checked statement.
        source: One of its sources.
        names: Full names of Datastreams.
    """
    own = [name for name in names if source.system == "*" or name.startswith(f"{source.system}.")]
    if tree.where is None:
        return own
    aliases = {source.alias, None} if len(tree.streams) == 1 else {source.alias}
    condition = tree.where
    judges = {
        comparison: _judge(comparison, source.alias)
        for comparison in key_comparisons(condition)
        if {part.qualifier for part in nodes.walk(comparison) if isinstance(part, nodes.Attribute)} <= aliases
    }
    refused = nodes.Boolean(False)
    return [
        name
        for name in own
        if fold(condition, {comparison: judge(name) for comparison, judge in judges.items()}) != refused
    ]


def _judge(comparison: Expression, alias: str | None) -> Callable[[str], bool]:
    source = "*" if alias is None else f"* AS {alias}"
    text = f"SELECT * FROM {source} WHERE {render_expression(comparison)}"  # noqa: S608 - our own language
    compiled = cast(CompiledStatement, compile_statement(text))  # it has neither joins nor columns
    return lambda name: compiled.matches(name, {})


def _common_unit(names: Iterable[str], units: Mapping[str, str | None]) -> Knowledge:
    first: tuple[str, Unit] | None = None
    is_complete = True
    for name in names:
        unit = unit_or_none(units[name])
        if unit is None:
            is_complete = False
        elif first is None:
            first = (name, unit)
        elif not unit.is_same_as(first[1]):
            return Mixed(((first[0], first[1].code), (name, unit.code)))
    return Quantity.of(first[1]) if first is not None and is_complete else None
