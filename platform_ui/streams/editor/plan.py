"""What a statement would do: in plain words, and as a small graph from its sources to its target.

What lives here: plain data and sentences, made of a compiled statement alone. What does not: the full account
(``streamhub.explanation``), whether it may run (``rights``).
"""

from dataclasses import dataclass
from typing import Final

from platform_ui.streams.statements import ANY_SYSTEM, Compiled, sections_of
from streamhub.explanation import Section
from streamhub.query import Derivation, nodes
from streamhub.query.checker import KEY_ATTRIBUTES
from streamhub.query.join_keys import conjuncts
from streamhub.query.nodes import Expression
from streamhub.query.rendering import render_expression

TARGET: Final = "the target system"


@dataclass(frozen=True, slots=True)
class PlanSource:
    """A source in the graph.

    Attributes:
        system: Full name of the system that is read.
        alias: Its name in the statement, or None.
        topic: The topic that is read.
        clauses: Conditions that choose among its records by the key alone.
    """

    system: str
    alias: str | None
    topic: str
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What happens between the sources and the outputs.

    Attributes:
        kind: ``join`` or ``filter``.
        text: What it does, as in the statement.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class PlanOutput:
    """What is written.

    Attributes:
        name: Full name of the Datastream, as far as it is known.
        unit: Its unit (UCUM), or None.
        expression: What is computed; empty for a record that is passed on.
    """

    name: str
    unit: str | None
    expression: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a statement would do.

    Attributes:
        words: Sentences, in the order in which things happen.
        sources: What it reads.
        steps: How it joins and filters.
        outputs: What it writes.
        target: Full name of the system that receives, or words for it while it is not known.
        by_key: Conditions that the key alone decides.
        by_value: Conditions for which the value is read.
        is_fast: Whether no value is parsed at all.
        sections: The account that `EXPLAIN` gives.
    """

    words: tuple[str, ...]
    sources: tuple[PlanSource, ...]
    steps: tuple[Step, ...]
    outputs: tuple[PlanOutput, ...]
    target: str
    by_key: tuple[str, ...]
    by_value: tuple[str, ...]
    is_fast: bool
    sections: tuple[Section, ...]


def plan_of(compiled: Compiled, home: str, target: str = "") -> Plan:
    """Say what a statement would do.

    Args:
        compiled: the statement.
        home: full name of the system that the app belongs to, read by ``FROM *``.
        target: full name of the system that receives; empty while it is not known.
    """
    clauses = clauses_of(compiled.tree)
    by_key = tuple(render_expression(clause) for clause in clauses if is_by_key(clause))
    by_value = tuple(render_expression(clause) for clause in clauses if not is_by_key(clause))
    is_fast = not isinstance(compiled, Derivation) and not compiled.needs_value
    sources = tuple(
        _source(source, home, clauses, is_alone=len(compiled.tree.streams) == 1)
        for source in compiled.tree.streams
    )
    outputs = _outputs(compiled, target or TARGET)
    return Plan(
        words=tuple(_words(compiled, sources, target or TARGET, (by_key, by_value, is_fast))),
        sources=sources,
        steps=tuple(_steps(compiled.tree, by_value)),
        outputs=outputs,
        target=target or TARGET,
        by_key=by_key,
        by_value=by_value,
        is_fast=is_fast,
        sections=tuple(sections_of(compiled)),
    )


def clauses_of(tree: nodes.Statement) -> tuple[Expression, ...]:
    """List the conditions of WHERE that all have to hold."""
    return () if tree.where is None else conjuncts(tree.where)


def is_by_key(clause: Expression) -> bool:
    """Tell whether the key of a record alone decides a condition."""
    return nodes.attributes(clause) <= KEY_ATTRIBUTES


def _source(
    source: nodes.Source, home: str, clauses: tuple[Expression, ...], *, is_alone: bool
) -> PlanSource:
    system = home if source.system == ANY_SYSTEM else source.system
    aliases = {source.alias, None} if is_alone else {source.alias}
    own = tuple(
        render_expression(clause)
        for clause in clauses
        if is_by_key(clause) and {alias for alias, _ in nodes.mentions(clause)} <= aliases
    )
    return PlanSource(system, source.alias, f"{system}.int", own)


def _steps(tree: nodes.Statement, by_value: tuple[str, ...]) -> list[Step]:
    steps = []
    for join in tree.joins:
        within = "" if join.within is None else f"WITHIN {_length(join.within)}"
        on = "" if join.on is None else f"ON {render_expression(join.on)}"
        name = join.source.alias or join.source.system
        steps.append(Step("join", " ".join(part for part in (f"JOIN {name}", within, on) if part)))
    return steps + [Step("filter", clause) for clause in by_value]


def _outputs(compiled: Compiled, target: str) -> tuple[PlanOutput, ...]:
    if not isinstance(compiled, Derivation):
        return (PlanOutput("the same Datastreams, their names and units unchanged", None, ""),)
    thing = "<Thing>" if compiled.keeps_thing else "<app>"
    return tuple(
        PlanOutput(f"{target}.{thing}.{column.name}", column.unit, column.expression)
        for column in compiled.columns
    )


def _words(
    compiled: Compiled,
    sources: tuple[PlanSource, ...],
    target: str,
    clauses: tuple[tuple[str, ...], tuple[str, ...], bool],
) -> list[str]:
    by_key, by_value, is_fast = clauses
    read = " and ".join(
        f"{source.system}{f' (as {source.alias})' if source.alias else ''}" for source in sources
    )
    words = [f"Reads the records of {read}."]
    words += [_joined(join, sources) for join in compiled.tree.joins]
    kept = [*by_key, *by_value]
    words.append(f"Keeps those for which {' and '.join(kept)}." if kept else "Keeps all of them.")
    if isinstance(compiled, Derivation):
        made = " and ".join(f"{column.name} in {column.unit or 'no unit'}" for column in compiled.columns)
        words.append(f"Computes {made}, and writes it as a Datastream of {target}, each exactly once.")
    else:
        how = "with the columns of SELECT" if compiled.projects else "unchanged"
        words.append(f"Passes them on to {target}, {how}, each exactly once.")
    words.append(_speed(by_key, by_value, is_fast=is_fast))
    return words


def _joined(join: nodes.Join, sources: tuple[PlanSource, ...]) -> str:
    name = join.source.alias or join.source.system
    limit = "" if join.within is None else f", at most {_length(join.within)} apart"
    others = " and ".join(
        source.alias or source.system for source in sources if source.alias != join.source.alias
    )
    return f"Pairs each record of {name} with its nearest neighbour in time of {others}{limit}."


def _speed(by_key: tuple[str, ...], by_value: tuple[str, ...], *, is_fast: bool) -> str:
    if is_fast:
        return "The fastest way: names alone decide, no value is even read."
    if by_key and by_value:
        return f"Fast: names alone decide {' and '.join(by_key)}; only what is left is read."
    if by_key:
        return f"Names alone decide {' and '.join(by_key)}; the values of what is left are read to compute."
    return "Every value is read: a condition on name, thing or system would save that for what it leaves out."


def _length(duration: nodes.Duration) -> str:
    return f"{duration.amount:g} {duration.unit}"
