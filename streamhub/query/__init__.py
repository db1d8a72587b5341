"""The language of the house: one grammar and one compiled evaluator for everything that selects or computes.

Lives here: text to tree (``parser``, ``grammar.lark``, ``nodes``), tree to text (``rendering``), meaning
(``checker``, ``join_keys``, ``functions``, ``values``, ``units``), compiled statements (``execution`` for
those that pass records on, ``derivation`` for those that make new ones), and trying a statement on recorded
data (``replay``). Does not live here: anything that reads from a broker, a clock or a file.

Pure: everything is computed from what is passed in.
"""

from streamhub.errors import QueryError, QuerySyntaxError, QueryTypeError
from streamhub.query.compiling import compile_condition, compile_filter, compile_statement, compile_trial
from streamhub.query.derivation.derivation import Derivation, Output, OutputColumn
from streamhub.query.derivation.streams import Route
from streamhub.query.execution.decision import Decision
from streamhub.query.execution.rows import READING_ERRORS, reason_for
from streamhub.query.execution.statement import CompiledStatement
from streamhub.query.restriction import Restriction

__all__ = [
    "READING_ERRORS",
    "CompiledStatement",
    "Decision",
    "Derivation",
    "Output",
    "OutputColumn",
    "QueryError",
    "QuerySyntaxError",
    "QueryTypeError",
    "Restriction",
    "Route",
    "compile_condition",
    "compile_filter",
    "compile_statement",
    "compile_trial",
    "reason_for",
]
