"""What the stream app editor answers to programs, as JSON models.

What lives here: the public forms of verdicts, trials and words. What does not: routes (``api``, ``pages``).
"""

from collections.abc import Mapping

from pydantic import BaseModel

from platform_ui.streams.editor.checking import Diagnostic, Verdict
from platform_ui.streams.editor.plan import Plan
from platform_ui.streams.editor.rights import Right
from platform_ui.streams.editor.trial import ClauseCount, Output, Trial
from platform_ui.streams.editor.words import KnownDatastream, Word, Words


class DiagnosticAnswer(BaseModel):
    """A fault of a statement; lines and columns are counted from 1, the end is behind the last character."""

    message: str
    expected: list[str]
    line: int
    column: int
    end_line: int
    end_column: int

    @classmethod
    def of(cls, one: Diagnostic) -> "DiagnosticAnswer":
        """Return the public form of a fault."""
        return cls(
            message=one.message,
            expected=list(one.expected),
            line=one.line,
            column=one.column,
            end_line=one.end_line,
            end_column=one.end_column,
        )


class PlanSourceAnswer(BaseModel):
    """A source, and the conditions that choose among its records by the key alone."""

    system: str
    alias: str | None
    topic: str
    clauses: list[str]


class PlanStepAnswer(BaseModel):
    """What happens between the sources and the outputs; `kind` is `join` or `filter`."""

    kind: str
    text: str


class PlanOutputAnswer(BaseModel):
    """What is written; `unit` is UCUM."""

    name: str
    unit: str | None
    expression: str


class PlanAnswer(BaseModel):
    """What a statement would do, in words and as a graph."""

    words: list[str]
    sources: list[PlanSourceAnswer]
    steps: list[PlanStepAnswer]
    outputs: list[PlanOutputAnswer]
    target: str
    decided_by_key: list[str]
    decided_by_value: list[str]
    reads_no_value: bool

    @classmethod
    def of(cls, plan: Plan) -> "PlanAnswer":
        """Return the public form of a plan."""
        return cls(
            words=list(plan.words),
            sources=[
                PlanSourceAnswer(
                    system=one.system, alias=one.alias, topic=one.topic, clauses=list(one.clauses)
                )
                for one in plan.sources
            ],
            steps=[PlanStepAnswer(kind=one.kind, text=one.text) for one in plan.steps],
            outputs=[
                PlanOutputAnswer(name=one.name, unit=one.unit, expression=one.expression)
                for one in plan.outputs
            ],
            target=plan.target,
            decided_by_key=list(plan.by_key),
            decided_by_value=list(plan.by_value),
            reads_no_value=plan.is_fast,
        )


class RightAnswer(BaseModel):
    """Whether a source may be read or the target written; `request` asks for a missing contract."""

    system: str
    part: str
    allowed: bool
    reason: str
    contracts: list[str]
    request: str

    @classmethod
    def of(cls, right: Right) -> "RightAnswer":
        """Return the public form of a right."""
        return cls(
            system=right.system,
            part=right.part,
            allowed=right.is_allowed,
            reason=right.reason,
            contracts=list(right.contracts),
            request=right.request,
        )


class CheckAnswer(BaseModel):
    """What there is to say about a statement; `understood` when it may be saved, contracts set aside."""

    understood: bool
    diagnostics: list[DiagnosticAnswer]
    plan: PlanAnswer | None
    rights: list[RightAnswer]
    target_fault: str
    problem: str

    @classmethod
    def of(cls, verdict: Verdict) -> "CheckAnswer":
        """Return the public form of a verdict."""
        return cls(
            understood=verdict.is_understood,
            diagnostics=[DiagnosticAnswer.of(one) for one in verdict.diagnostics],
            plan=PlanAnswer.of(verdict.plan) if verdict.plan else None,
            rights=[RightAnswer.of(one) for one in verdict.rights],
            target_fault=verdict.target_fault,
            problem=verdict.problem,
        )


class ClauseAnswer(BaseModel):
    """How often one condition of WHERE was false, of the records that it was judged on alone."""

    text: str
    judged: int
    refused: int
    missing: int

    @classmethod
    def of(cls, one: ClauseCount) -> "ClauseAnswer":
        """Return the public form of a count."""
        return cls(text=one.text, judged=one.judged, refused=one.refused, missing=one.missing)


class ColumnAnswer(BaseModel):
    """A column of the outputs; `unit` is empty where it differs or is not known."""

    name: str
    unit: str


class OutputAnswer(BaseModel):
    """A record that would be written: one cell for each column, and what else it holds."""

    time: str
    datastream: str
    unit: str
    cells: list[str]
    more: dict[str, str]

    @classmethod
    def of(cls, one: Output, units: Mapping[str, str]) -> "OutputAnswer":
        """Return the public form of an output."""
        return cls(
            time=one.time,
            datastream=one.datastream,
            unit=units.get(one.datastream, ""),
            cells=list(one.cells),
            more=dict(one.more),
        )


class ReasonAnswer(BaseModel):
    """Why records could not be used: a stable code, how many, and what was said of the first."""

    code: str
    count: int
    detail: str


class TrialAnswer(BaseModel):
    """What a statement made of recent records; nothing was saved. `pairs` is null without a join."""

    read: int
    matched: int
    dropped: int
    failed: int
    held_back: int
    pairs: int | None
    late: int
    unjoined: int
    missing: int
    mismatches: int
    complete: bool
    reasons: list[ReasonAnswer]
    clauses: list[ClauseAnswer]
    columns: list[ColumnAnswer]
    outputs: list[OutputAnswer]
    attributes: list[str]

    @classmethod
    def of(cls, trial: Trial, units: Mapping[str, str]) -> "TrialAnswer":
        """Return the public form of a trial."""
        return cls(
            read=trial.read,
            matched=trial.matched,
            dropped=trial.dropped,
            failed=trial.failed,
            held_back=trial.held_back,
            pairs=trial.pairs,
            late=trial.late,
            unjoined=trial.unjoined,
            missing=trial.missing,
            mismatches=trial.mismatches,
            complete=trial.is_complete,
            reasons=[ReasonAnswer(code=code, count=n, detail=detail) for code, n, detail in trial.reasons],
            clauses=[ClauseAnswer.of(one) for one in trial.clauses],
            columns=[ColumnAnswer(name=one.name, unit=one.unit) for one in trial.columns],
            outputs=[OutputAnswer.of(one, units) for one in trial.outputs],
            attributes=list(trial.attributes),
        )


class WordAnswer(BaseModel):
    """A word of the language: how it is written, what it is, one line about it."""

    name: str
    kind: str
    meaning: str

    @classmethod
    def of(cls, word: Word) -> "WordAnswer":
        """Return the public form of a word."""
        return cls(name=word.name, kind=word.kind, meaning=word.meaning)


class DatastreamAnswer(BaseModel):
    """A Datastream that a statement may name."""

    name: str
    system: str
    thing: str
    unit: str | None

    @classmethod
    def of(cls, one: KnownDatastream) -> "DatastreamAnswer":
        """Return the public form of a Datastream."""
        return cls(name=one.name, system=one.system, thing=one.thing, unit=one.unit)


class WordsAnswer(BaseModel):
    """What may stand in a statement; `complete` when SensorThings told the Datastreams."""

    systems: list[str]
    datastreams: list[DatastreamAnswer]
    attributes: list[WordAnswer]
    functions: list[WordAnswer]
    units: list[WordAnswer]
    keywords: list[str]
    complete: bool

    @classmethod
    def of(cls, words: Words) -> "WordsAnswer":
        """Return the public form of the words."""
        return cls(
            systems=list(words.systems),
            datastreams=[DatastreamAnswer.of(one) for one in words.datastreams],
            attributes=[WordAnswer.of(one) for one in words.attributes],
            functions=[WordAnswer.of(one) for one in words.functions],
            units=[WordAnswer.of(one) for one in words.units],
            keywords=list(words.keywords),
            complete=words.is_complete,
        )
