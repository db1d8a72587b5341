"""What a statement means in practice, in words: what EXPLAIN and `app explain` show.

What lives here: pure text from a compiled statement and what is known of its app. What does not: asking Kafka
or the SensorThings service (the caller passes in what they said), printing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from streamhub.query import CompiledStatement, Derivation, nodes
from streamhub.query.rendering import render_expression
from streamhub.specification import StreamAppSpecification

__all__ = ["Explanation", "Section", "explain"]

_ANY: Final = "*"
_TIMES: Final = {
    "LEFT": "that of the first source",
    "RIGHT": "that of the last source",
    "MEAN": "the mean of all joined records",
    "LATER": "the latest of all joined records",
}
_DEFAULT_TIME: Final = "LATER"
_KEPT: Final = ("phenomenonTime", "resultTime", "result", "Datastream")
_SPANS: Final = (
    (86_400_000_000, "d"),
    (3_600_000_000, "h"),
    (60_000_000, "min"),
    (1_000_000, "s"),
    (1_000, "ms"),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of an explanation.

    Attributes:
        title: What it is about, one word.
        lines: What there is to say.
    """

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A statement explained, in sections; `str` gives the text that the command line shows."""

    sections: tuple[Section, ...]

    def __str__(self) -> str:
        """Write all sections, their lines indented."""
        return "\n".join(
            line for section in self.sections for line in (section.title, *(f"  {x}" for x in section.lines))
        )


def explain(
    compiled: CompiledStatement | Derivation,
    app: StreamAppSpecification | None = None,
    partitions: Mapping[str, int] | None = None,
    units: Mapping[str, str] | None = None,
) -> Explanation:
    """Say what a statement reads, joins, writes, needs and remembers.

    Args:
        compiled: The statement.
        app: The app that would run it; without one, names that depend on it are described.
        partitions: Number of partitions by topic, as far as Kafka was asked.
        units: Units of the columns as they were derived, by name of the column; wins over what UNIT says.
    """
    sections = [
        Section("reads", tuple(_reads(compiled, partitions or {}))),
        Section("contracts", tuple(_contracts(app))),
        Section("joins", tuple(_joins(compiled))),
        Section("writes", tuple(_writes(compiled, app, units or {}))),
        Section("needs", tuple(_needs(compiled, app))),
        Section("workers", tuple(_workers(compiled, app, partitions or {}))),
        Section("remembers", tuple(_remembers(compiled))),
    ]
    return Explanation(tuple(section for section in sections if section.lines))


def _width(compiled: CompiledStatement | Derivation) -> int:
    return compiled.width if isinstance(compiled, Derivation) else 1


def _topic(system: str) -> str:
    """Name the topic of a source; of any source the one that an app without a name would read."""
    return "<source system>.int" if system == _ANY else f"{system}.int"


def _reads(compiled: CompiledStatement | Derivation, partitions: Mapping[str, int]) -> Sequence[str]:
    lines = []
    for source in compiled.tree.streams:
        topic = _topic(source.system)
        known = f", {_counted(partitions[topic], 'partition')}" if topic in partitions else ""
        name = "" if source.alias is None else f"{source.alias} = "
        system = "the system of the app" if source.system == _ANY else source.system
        lines.append(f"{name}{system}: topic {topic}{known}")
    if compiled.tree.where is not None:
        lines.append(f"where {render_expression(compiled.tree.where)}")
    if isinstance(compiled, CompiledStatement):
        lines.append(f"values are parsed: {'yes' if compiled.needs_value else 'no, the key alone decides'}")
    return lines


def _contracts(app: StreamAppSpecification | None) -> Sequence[str]:
    """Say what binds the statement whatever it says; without terms there is nothing to say."""
    lines = []
    for terms in () if app is None else app.contracts:
        restriction = terms.restriction
        lines.append(f"contract {terms.id}, of {terms.provider}:")
        listed = ", ".join(terms.datastreams)
        lines.append(f"  Datastreams: {listed or 'all'}")
        if restriction.condition is not None:
            lines.append(f"  only where {render_expression(restriction.condition)}")
        if terms.fields:
            lines.append(f"  values leave with {', '.join((*_KEPT, *terms.fields))} and nothing else")
        if terms.starts_at is not None:
            lines.append(f"  nothing that Kafka got before {terms.starts_at}")
        if terms.ends_at is not None:
            lines.append(f"  nothing from {terms.ends_at} on: the app ends then")
    return lines


def _joins(compiled: CompiledStatement | Derivation) -> Sequence[str]:
    if not isinstance(compiled, Derivation) or _width(compiled) == 1:
        return ()
    tree = compiled.tree
    names = [source.alias or source.system for source in tree.streams]
    lines = []
    for index, within in enumerate(compiled.withins):
        earlier = " and ".join(names[: index + 1])
        limit = "whatever the distance" if within is None else f"at most {_span(within)} apart"
        lines.append(f"{names[index + 1]} with {earlier}: nearest neighbours in time, {limit}")
    lines.append(_keys(tree))
    lines.append(f"time of a result: {_TIMES[tree.time or _DEFAULT_TIME]}")
    if compiled.lateness:
        lines.append(f"out of order: records are held back for {_span(compiled.lateness)} and sorted")
        lines.append("late: a record that is older still; it is counted and not used")
    else:
        lines.append("late: a record older than another one of its stream; it is counted and not used")
    if compiled.max_latency is not None:
        lines.append(f"late too: a record more than {_span(compiled.max_latency)} behind the newest of all")
    return lines


def _keys(tree: nodes.Statement) -> str:
    conditions = [join.on for join in tree.joins if join.on is not None]
    if not conditions:
        return "on nothing: all records of a source are one stream"
    return f"on {' AND '.join(map(render_expression, conditions))}: one join for each value"


def _writes(
    compiled: CompiledStatement | Derivation, app: StreamAppSpecification | None, units: Mapping[str, str]
) -> Sequence[str]:
    target = "<target system>" if app is None else app.target_system
    if isinstance(compiled, CompiledStatement):
        how = "anew, with the columns" if compiled.projects else "byte by byte"
        if compiled.rewrites and not compiled.projects:
            how = "without what the contract keeps back"
        return (f"topic {target}.ext: what matches, under its own key; values are written {how}",)
    thing = "<Thing>" if compiled.keeps_thing else "<app>" if app is None else app.name
    columns = [(column.name, units.get(column.name, column.unit)) for column in compiled.columns]
    if not columns:
        return (
            "nothing: no column has a UNIT or is computed, so there is no Datastream",
            "(it can be tried, with `dtwin query run`, but not deployed)",
        )
    return (
        f"topic {target}.ext, one record for each match and Datastream:",
        *(f"{target}.{thing}.{name}  {_unit(unit)}" for name, unit in columns),
    )


def _unit(unit: str | None) -> str:
    return "without a unit" if unit is None else f"unit {unit}"


def _needs(compiled: CompiledStatement | Derivation, app: StreamAppSpecification | None) -> Sequence[str]:
    has_memory = _width(compiled) > 1
    if app is None:
        read = [f"read topic {_topic(system)}" for system in compiled.sources]
        letters = ["write topic <system>.int.dlq of each of them"]
        rest = ["write topic <target system>.ext"]
        rest += ["read and write the state topic of the app"] if has_memory else []
        return (*read, *letters, *rest, "read the group of the app, write its transactional ids")
    read = [f"read topic {topic}" for topic in app.source_topics]
    written = [f"{topic}.dlq" for topic in app.source_topics] + [app.target_topic]
    state = [f"read, write, create, describe settings of topic {app.state_topic}"] if has_memory else []
    return (
        *read,
        *(f"write, describe settings of topic {topic}" for topic in written),
        *state,
        f"read group {app.app_id}",
        f"write, describe transactional ids that begin with {app.app_id}. (one for each copy)",
    )


def _workers(
    compiled: CompiledStatement | Derivation,
    app: StreamAppSpecification | None,
    partitions: Mapping[str, int],
) -> Sequence[str]:
    if isinstance(compiled, Derivation) and compiled.width > 1 and not (app is not None and app.spread):
        one = "one copy works and owns all partitions; further copies stand by and take over"
        return (one, "with --spread copies share the partitions") if compiled.is_co_partitioned else (one,)
    topics = {_topic(system) for system in compiled.sources}
    counts = [partitions[topic] for topic in topics if topic in partitions]
    most = f", so at most {_counted(min(counts), 'copy', 'copies')} can work" if counts else ""
    return (f"copies share the partitions{most}",)


def _remembers(compiled: CompiledStatement | Derivation) -> Sequence[str]:
    if not isinstance(compiled, Derivation) or compiled.width == 1:
        return ("nothing",)
    each = " for each join key" if compiled.is_keyed else ""
    lines = [f"the records of each source that may still find a neighbour{each}, in the state topic"]
    if compiled.max_latency is None:
        lines.append(
            "while one source is silent, what the others send is kept without limit: see MAX LATENCY"
        )
    else:
        horizon = compiled.max_latency + max((within or 0 for within in compiled.withins), default=0)
        lines.append(f"nothing older than {_span(horizon)}, besides the newest record of each source")
    return lines


def _span(microseconds: int) -> str:
    """Write a length of time in the largest unit that needs at most one decimal."""
    for length, unit in _SPANS:
        if microseconds >= length and microseconds % (length // 10) == 0:
            return f"{microseconds / length:.12g} {unit}"
    return f"{microseconds / 1e6:g} s"


def _counted(number: int, one: str, several: str | None = None) -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"
