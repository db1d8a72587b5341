"""The code that judges joined records and writes results, emitted once for each statement.

Lives here: from the tree to the functions ``derive``, ``matches`` and ``columns``. Does not live here: what
each expression becomes (``execution.emitter``), what records hold (``streams``).

How it works: a record of source 0 is ``r0`` in the source, an attribute of it the local ``r0_a1``. One loop
goes over a batch of joined records; attributes are loaded when they are first needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from streamhub.query import nodes
from streamhub.query.checker import KEPT_MEMBERS, column_name, is_output, kind_of
from streamhub.query.derivation.streams import Stream
from streamhub.query.derivation.times import time_text
from streamhub.query.execution.emitter import Emitter
from streamhub.query.execution.tally import Tally
from streamhub.query.functions import Kind
from streamhub.query.nodes import Expression

__all__ = ["Emission", "Emitted"]

_LATER = "LATER"


@dataclass(frozen=True, slots=True)
class Emitted:
    """What was emitted for a statement.

    Attributes:
        derive: Appends the results of a batch of joined records.
        matches: Tells whether joined records match.
        columns: Gives the time of the result as text, then the values of all columns, None where one cannot
            be computed.
    """

    derive: Callable[..., None]
    matches: Callable[..., bool]
    columns: Callable[..., tuple[Any, ...]]


class _JoinedEmitter(Emitter):
    """Write expressions over the records of several sources."""

    def __init__(self, streams: Sequence[Stream], aliases: Sequence[str | None], tally: Tally) -> None:
        super().__init__({}, tally)
        self._streams = streams
        self._aliases = aliases

    def local(self, attribute: nodes.Attribute) -> str:
        several = len(self._streams) > 1
        number = self._aliases.index(attribute.qualifier) if several else 0
        return f"r{number}_{self._streams[number].fields[attribute.name]}"


class Emission:
    """Emit the functions of one statement.

    Attributes:
        condition: What is left of WHERE for joined records.
        columns: The columns of SELECT.
    """

    def __init__(
        self,
        tree: nodes.Statement,
        condition: Expression,
        streams: Sequence[Stream],
        *,
        time: str,
        keeps_thing: bool,
    ) -> None:
        """Take what is known of the statement; ``emit`` does the work."""
        self.condition = condition
        self.columns = tree.columns or ()
        self._streams = streams
        self._aliases = [source.alias for source in tree.streams]
        self._time = time
        self._keeps_thing = keeps_thing
        self._records = [f"r{number}" for number in range(len(streams))]
        self._unpacked = "(" + "".join(f"{record}, " for record in self._records) + ")"

    def emit(self, tally: Tally) -> Emitted:
        """Compile the functions.

        Args:
            tally: Where comparisons and columns that did not fit are counted.

        Raises:
            ConstantError: A part without attributes can never be computed.
        """
        emitter = _JoinedEmitter(self._streams, self._aliases, tally)
        condition = emitter.condition(self.condition)
        lines = [f"{self._unpacked} = joined", *self._loads([self.condition]), f"return {condition}"]
        emitter.define(f"def matches(joined):\n{_indented(lines, 4)}")
        emitter.define(self._columns(emitter))
        emitter.define(self._derive(emitter, condition))
        namespace = emitter.build()
        namespace |= {"encode": msgspec.json.encode, "time_text": time_text, "quoted": '"{}"'.format}
        functions = cast("dict[str, Any]", namespace)
        return Emitted(functions["derive"], functions["matches"], functions["columns"])

    def _loads(self, expressions: Sequence[Expression], loaded: Sequence[Expression] = ()) -> list[str]:
        """Write the loads of what some expressions look at, without what others have loaded."""
        namer = _JoinedEmitter(self._streams, self._aliases, Tally())

        def locals_of(several: Sequence[Expression]) -> set[str]:
            parts = (part for one in several for part in nodes.walk(one))
            return {namer.local(part) for part in parts if isinstance(part, nodes.Attribute)}

        return [
            f"{local} = {local.replace('_', '.')}"
            for local in sorted(locals_of(expressions) - locals_of(loaded))
        ]

    def _columns(self, emitter: Emitter) -> str:
        expressions = [column.expression for column in self.columns]
        written = ", ".join(emitter.column(expression) for expression in expressions)
        lines = [f"{self._unpacked} = joined", *self._loads(expressions), *self._when()]
        return f"def columns(joined):\n{_indented(lines, 4)}\n    return (when[1:-1], {written})"

    def _when(self) -> list[str]:
        """Write the lines that put the time of the result into ``when``, as JSON text."""
        records = self._records
        if self._time == "MEAN":
            total = " + ".join(f"{record}.time" for record in records)
            return [f"when = quoted(time_text(({total}) // {len(records)}))"]
        if self._time == _LATER and len(records) > 1:
            lines = ["chosen = r0"]
            lines += [f"if {record}.time > chosen.time: chosen = {record}" for record in records[1:]]
            chosen = "chosen"
        else:
            lines, chosen = [], records[-1] if self._time == "RIGHT" else records[0]
        lines.append(f"when = encode({chosen}.when).decode()")
        # Whole seconds come without a fraction; everything in the house is written with microseconds.
        return [*lines, "if len(when) == 22: when = when[:20] + '.000000Z\"'"]

    def _derive(self, emitter: Emitter, condition: str) -> str:
        outputs = [column for column in self.columns if is_output(column)]
        added = [column for column in self.columns if self._is_added(column)]
        loads = self._loads([column.expression for column in self.columns], [self.condition])
        thing = f"r0.{self._streams[0].fields['thing']}" if self._keeps_thing else "None"
        lines = self._loads([self.condition])
        lines += [f"if not {condition}: continue", *loads]
        if self._keeps_thing:
            lines += [f"thing = {thing}", "if thing is None:", "    missed(None)", "    continue"]
        lines += self._when()
        lines += ["tail = ''"] if added else []
        for column in added:
            local = emitter.column(column.expression)
            name = emitter.bind("," + msgspec.json.encode(column_name(column)).decode() + ":")
            lines.append(f"if {local} is not None: tail += {name} + encode({local}).decode()")
        tail = "{tail}" if added else ""
        for index, column in enumerate(outputs):
            lines += self._result(emitter, index, column, tail)
        place = "thing" if self._keeps_thing else "None"
        hoisted = (
            []
            if self._keeps_thing
            else [
                f"output{index} = outputs[{index}, {place}]; end{index} = output{index}.tail"
                for index in range(len(outputs))
            ]
        )
        return (
            "def derive(joined, stamp, outputs, results):\n"
            "    add = results.append\n"
            '    middle = \',"resultTime":"\' + stamp + \'","result":\'\n'
            f"{_indented(hoisted, 4)}\n"
            f"    for {self._unpacked} in joined:\n"
            f"{_indented(lines, 8)}"
        )

    def _is_added(self, column: nodes.Column) -> bool:
        """Tell whether a column becomes an additional attribute of the results."""
        return not is_output(column) and column_name(column) not in KEPT_MEMBERS

    def _result(self, emitter: Emitter, index: int, column: nodes.Column, tail: str) -> list[str]:
        kind = Kind.NUMBER if column.unit is not None else kind_of(column.expression)
        is_number = kind is Kind.NUMBER
        if isinstance(column.expression, nodes.Arithmetic) and nodes.attributes(column.expression):
            # Written out, since calling finite() costs more than the usual arithmetic.
            written = emitter.real(column.expression)
            check = ["    if not -INFINITY < value < INFINITY: raise MismatchError"]
        else:
            written = emitter.value(column.expression, Kind.TEXT if kind is Kind.INSTANT else kind)
            check = [] if is_number else ["    if value is None: raise MissingError"]
        shown = "{value!r}" if is_number else "{encode(value).decode()}"
        output = f"output{index}"
        end = f"{output}.tail" if self._keeps_thing else f"end{index}"
        lookup = [f"    {output} = outputs[{index}, thing]"] if self._keeps_thing else []
        return [
            "try:",
            f"    value = {written}",
            *check,
            "except MissingError: missed(None)",
            "except FAILURES: missed(0)",
            "else:",
            *lookup,
            f"    add(({output}, f'{{{{\"phenomenonTime\":{{when}}{{middle}}{shown}{tail}{{{end}}}'))",
        ]


def _indented(lines: Sequence[str], columns: int) -> str:
    return "\n".join(" " * columns + line for line in lines or ["pass"])
