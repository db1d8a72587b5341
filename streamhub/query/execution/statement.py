"""A compiled statement: what the stream apps, the record browser and ``dtwin query`` call for each batch.

Lives here: ``compile_statement`` and ``CompiledStatement``. Does not live here: reading records from
anywhere, or doing anything with the accepted ones.

How it works, for each batch:

1. Each distinct key is judged once: the comparisons that look at the key alone are put into the condition
   and what remains of it is TRUE, FALSE or a smaller condition. Verdicts are remembered for a bounded number
   of keys.
2. What remains is compiled once into a loop over the records it concerns; only these are decoded, one by
   one, and only into the members it looks at. (Decoding a whole batch in one call was measured and is no
   faster.)
3. Accepted records are checked to be UTF-8 throughout, since their bytes are passed on; decoding skips the
   members that are not looked at.

>>> compiled = compile_statement("SELECT * FROM * WHERE thing = 'Mill' AND result < 4;")
>>> keys = [b"a.bb.cc.dd.Mill.Speed", b"a.bb.cc.dd.Mill.Speed", b"a.bb.cc.dd.Lathe.Speed"]
>>> compiled.filter_batch(keys, [b'{"result": 3}', b'{"result": 5}', b"never looked at"]).accepted
[0]
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import msgspec

from streamhub.query import nodes
from streamhub.query.checker import (
    KEPT_MEMBERS,
    KEY_ATTRIBUTES,
    column_name,
)
from streamhub.query.execution.decision import Decision
from streamhub.query.execution.emitter import Emitter
from streamhub.query.execution.folding import fold, key_comparisons
from streamhub.query.execution.rows import DECODING_ERRORS, Row, fields_of, key_parts, reason_for, row_type
from streamhub.query.execution.tally import Tally
from streamhub.query.execution.trimming import trimmer
from streamhub.query.nodes import Expression
from streamhub.query.restriction import Restriction

__all__ = ["CompiledStatement"]

_MAX_REMEMBERED_BYTES = 32 * 2**20
_BYTES_PER_REMEMBERED_KEY = 200  # of the dictionary and the object, besides the key's own bytes
_MAX_REMEMBERED_KEY_BYTES = 1024
_MAX_RESIDUALS = 4_096

_Parts = tuple[str | None, str | None, str | None]
_KEY_LOCALS = "key_name, key_thing, key_system"


class _Loop(Protocol):
    def __call__(
        self,
        candidates: Iterable[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        accept: Callable[[int], None],
        refuse: Callable[[int, bytes | None, Exception], None],
    ) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Residual:
    """What remains of a condition once the key is known.

    Attributes:
        verdict: True or False when the key alone decides; else None.
        loop: Judges a batch of records.
        judge: Judges one row, with the parts of its key.
        decode: Reads a row from a value.
        fields: Field of a row to member of a record.
        row: The type of a row.
    """

    verdict: bool | None
    loop: _Loop | None = None
    judge: Callable[..., bool] | None = None
    decode: Callable[[bytes | None], Row] | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    row: Callable[..., Row] | None = None


_ACCEPT = _Residual(True)
_REJECT = _Residual(False)


class CompiledStatement:
    """A statement, ready to be run over batches of records; not to be shared by threads.

    Attributes:
        text: The statement as it was given.
        tree: The statement as a tree.
        sources: System names after FROM, or ``("*",)``.
        needs_key: Whether keys are looked at; when not, ``filter_batch`` needs none.
        needs_value: Whether values are looked at; when not, the key alone decides.
        projects: Whether SELECT names columns, so that values are written anew with ``project``.
        rewrites: Whether what leaves is not always the value itself: it has to go through ``rewrite``.
    """

    def __init__(self, text: str, tree: nodes.Statement, restriction: Restriction | None = None) -> None:
        """Compile a checked tree; ``compile_statement`` is the way to get one.

        Args:
            text: The statement as it was given.
            tree: The checked tree.
            restriction: What may leave of its source at all; it looks at nothing else.
        """
        self.text = text
        self.tree = tree
        self.sources = tuple(source.system for source in tree.sources)
        self.projects = tree.columns is not None
        where = tree.where if restriction is None else restriction.joined_with(tree.where)
        self._condition = fold(where or nodes.Boolean(True), {})
        leaving = None if restriction is None or self.projects else restriction.leaving
        self._trim = None if leaving is None else trimmer(leaving)
        self.rewrites = self.projects or self._trim is not None
        self._columns = tree.columns or ()
        self._tally = Tally()
        self._key_comparisons = key_comparisons(self._condition)
        self._judge_key = self._compile_key_judge()
        self._residuals: dict[Expression, _Residual] = {}
        self._remembered: dict[bytes | None, _Residual] = {}
        self._remembered_bytes = 0
        self._key_tallies: dict[bytes | None, tuple[int, int]] = {}
        whole = self._residual(self._condition)
        self._whole = None if self._key_comparisons else whole
        self.needs_key = bool(self._attributes() & KEY_ATTRIBUTES)
        self.needs_value = self.rewrites or bool(nodes.attributes(self._condition) - KEY_ATTRIBUTES)
        self._project = self._compile_projection() if self.projects else None

    def filter_batch(self, keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Decision:
        """Judge records in the order in which they arrived.

        Args:
            keys: Keys, each the full Datastream name in UTF-8, None where a record has none; as many as
                values, or none at all when ``needs_key`` is false.
            values: Values; None where a record has none.

        Returns:
            Which records match and which cannot be used; all others simply do not match.
        """
        tally = self._tally
        tally.missing = tally.mismatches = 0
        decision = Decision()
        if self._whole is not None and not self.needs_key:
            self._run(self._whole, range(len(values)), keys, values, decision)
        else:
            self._run_by_key(keys, values, decision)
        decision.missing += tally.missing
        decision.mismatches += tally.mismatches
        return decision

    def project(self, key: bytes | None, value: bytes | None) -> bytes:
        """Write the value of an accepted record anew, with the columns of SELECT.

        Args:
            key: The record's key.
            value: The record's value.

        Returns:
            Compact JSON: phenomenonTime, resultTime and Datastream as they are, then the columns by their
            names, null where a column cannot be computed.

        Raises:
            TypeError: The statement is ``SELECT *``; forward the bytes.
        """
        if self._project is None:
            raise TypeError("SELECT * forwards the value as it is; there is nothing to project")
        return msgspec.json.encode(self._project(key, value))

    def rewrite(self, key: bytes | None, value: bytes | None) -> bytes | None:
        """Give what leaves of an accepted record: with columns, those; else the value without what may not.

        Args:
            key: The record's key.
            value: The record's value.

        Raises:
            RecordFormatError: Something has to be taken out of a value that is no JSON object.
        """
        if self.projects:
            return self.project(key, value)
        return value if self._trim is None else self._trim(value)

    def judge_of(self, key: bytes | None) -> bool | Callable[[bytes | None], bool]:
        """Give what decides about the records of a key: a verdict, or a function of their values.

        The function raises ``DECODING_ERRORS``.

        Args:
            key: The key, a full Datastream name in UTF-8, or None.

        Raises:
            UnicodeDecodeError: The key is not UTF-8.
        """
        residual = self._residual_for(key)
        if residual.verdict is not None or residual.judge is None or residual.decode is None:
            return bool(residual.verdict)
        decode, judge, parts = residual.decode, residual.judge, key_parts(key)
        return lambda value: judge(decode(value), *parts)

    def matches(self, name: str, record: Mapping[str, Any]) -> bool:
        """Judge one record that is already parsed.

        Args:
            name: The full Datastream name, which the record's key would hold.
            record: The members of its value.
        """
        key = name.encode()
        residual = self._whole or self._residual_for(key)
        if residual.verdict is not None:
            return residual.verdict
        if residual.row is None or residual.judge is None:
            raise TypeError("a residual without a verdict has a loop")
        row = residual.row(**{name: record.get(member) for name, member in residual.fields.items()})
        return residual.judge(row, *key_parts(key))

    def _attributes(self) -> frozenset[str]:
        looked_at = (nodes.attributes(column.expression) for column in self._columns)
        return nodes.attributes(self._condition).union(*looked_at)

    # Step 1: the key.

    def _run_by_key(
        self, keys: Sequence[bytes | None], values: Sequence[bytes | None], decision: Decision
    ) -> None:
        find = self._remembered.get
        residuals = [find(key) or self._residual_or_refusal(key) for key in keys]
        distinct = set(residuals) - {_REJECT}
        for residual in distinct:
            mine = (index for index, other in enumerate(residuals) if other is residual)
            if residual is _BAD_KEY:
                decision.rejected.extend((index, *_BAD_KEY_REASON) for index in mine)
            else:
                self._run(residual, mine, keys, values, decision)
        if len(distinct) > 1:
            decision.accepted.sort()
            decision.rejected.sort()
        if self._key_tallies:
            for key in keys:
                missing, mismatches = self._key_tallies.get(key, (0, 0))
                decision.missing += missing
                decision.mismatches += mismatches

    def _residual_or_refusal(self, key: bytes | None) -> _Residual:
        try:
            return self._residual_for(key)
        except UnicodeDecodeError:
            return _BAD_KEY

    def _residual_for(self, key: bytes | None) -> _Residual:
        """Judge a key, and remember it.

        Raises:
            UnicodeDecodeError: The key is not UTF-8.
        """
        known = self._remembered.get(key)
        if known is not None:
            return known
        before = self._tally.missing, self._tally.mismatches
        verdicts = self._judge_key(*key_parts(key))
        counted = self._tally.missing - before[0], self._tally.mismatches - before[1]
        self._tally.missing, self._tally.mismatches = before
        residual = self._residual(
            fold(self._condition, dict(zip(self._key_comparisons, verdicts, strict=True)))
        )
        weight = _BYTES_PER_REMEMBERED_KEY + len(key or b"")
        if self._remembered_bytes + weight > _MAX_REMEMBERED_BYTES:
            self._forget_keys()
        self._remembered_bytes += weight
        self._remembered[key] = residual
        if any(counted):
            self._key_tallies[key] = counted
        return residual

    def _forget_keys(self) -> None:
        self._remembered.clear()
        self._key_tallies.clear()
        self._remembered_bytes = 0

    def _compile_key_judge(self) -> Callable[..., tuple[bool, ...]]:
        emitter = Emitter({}, self._tally)
        verdicts = "".join(f"{emitter.condition(comparison)}, " for comparison in self._key_comparisons)
        emitter.define(f"def judge({_KEY_LOCALS}):\n    return ({verdicts})")
        return cast("Callable[..., tuple[bool, ...]]", emitter.build()["judge"])

    # Step 2: the value.

    def _run(
        self,
        residual: _Residual,
        candidates: Iterable[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        decision: Decision,
    ) -> None:
        if residual.verdict is not None:
            decision.accepted.extend(candidates if residual.verdict else ())
            return
        if residual.loop is None:
            raise TypeError("a residual without a verdict has a loop")
        rejected = decision.rejected

        def refuse(index: int, value: bytes | None, error: Exception) -> None:
            rejected.append((index, *reason_for(value, error)))

        residual.loop(candidates, keys, values, decision.accepted.append, refuse)

    def _residual(self, condition: Expression) -> _Residual:
        if isinstance(condition, nodes.Boolean) and not (self.projects and condition.value):
            return _ACCEPT if condition.value else _REJECT
        known = self._residuals.get(condition)
        if known is None:
            if len(self._residuals) >= _MAX_RESIDUALS:
                self._residuals.clear()
                self._forget_keys()
            known = self._residuals[condition] = self._compile_residual(condition)
        return known

    def _compile_residual(self, condition: Expression) -> _Residual:
        looked_at = self._attributes() if self.projects else nodes.attributes(condition)
        fields = fields_of(looked_at - KEY_ATTRIBUTES)
        row, decode = row_type(fields)
        # An absent value makes it raise a TypeError, which is one of DECODING_ERRORS.
        read = cast("Callable[[bytes | None], Row]", decode)
        emitter = Emitter(fields, self._tally)
        written = emitter.condition(condition)
        loads = [f"{field} = row.{field}" for field in fields]
        needs_key = bool(nodes.attributes(condition) & KEY_ATTRIBUTES)
        emitter.define(_JUDGE.format(loads=_indented(loads, 4), condition=written))
        parts = [f"{_KEY_LOCALS} = key_parts(keys[index])"] if needs_key else []
        emitter.define(_LOOP.format(loads=_indented([*loads, *parts], 8), condition=written))
        namespace = emitter.build()
        namespace |= {"decode": decode, "key_parts": key_parts, "DECODING_ERRORS": DECODING_ERRORS}
        emitter_namespace = cast("dict[str, Any]", namespace)
        return _Residual(None, emitter_namespace["loop"], emitter_namespace["judge"], read, fields, row)

    # Step 3: the columns.

    def _compile_projection(self) -> Callable[[bytes | None, bytes | None], dict[str, object]]:
        looked_at = self._attributes() - KEY_ATTRIBUTES
        fields = fields_of(looked_at.union(KEPT_MEMBERS))
        _, decode = row_type(fields)
        emitter = Emitter(fields, Tally())
        members = [
            f"{emitter.bind(column_name(column))}: {emitter.column(column.expression)}"
            for column in self._columns
        ]
        loads = [f"{field} = row.{field}" for field in fields]
        emitter.define(
            f"def columns(row, {_KEY_LOCALS}):\n{_indented(loads, 4)}\n    return {{{', '.join(members)}}}"
        )
        compute = cast("Callable[..., dict[str, object]]", emitter.build()["columns"])
        kept = [(member, emitter.names[member]) for member in KEPT_MEMBERS]

        def project(key: bytes | None, value: bytes | None) -> dict[str, object]:
            row = decode(value or b"")
            members = {member: getattr(row, name) for member, name in kept if getattr(row, name) is not None}
            return members | compute(row, *key_parts(key))

        return project


_BAD_KEY = _Residual(False)
_BAD_KEY_REASON = ("record.key_not_utf8", "the key is not UTF-8, so it is no Datastream name")

_JUDGE = """\
def judge(row, key_name, key_thing, key_system):
{loads}
    return {condition}"""

_LOOP = """\
def loop(candidates, keys, values, accept, refuse):
    for index in candidates:
        value = values[index]
        try:
            row = decode(value)
        except DECODING_ERRORS as error:
            refuse(index, value, error)
            continue
{loads}
        if {condition}:
            if not value.isascii():
                try:
                    str(value, "utf-8")
                except UnicodeDecodeError as error:
                    refuse(index, value, error)
                    continue
            accept(index)"""


def _indented(lines: list[str], columns: int) -> str:
    return "\n".join(" " * columns + line for line in lines or ["pass"])
