"""The language of the house: one grammar and one compiled evaluator for everything that selects or computes.

Lives here: text to tree (``parser``, ``grammar.lark``, ``nodes``), tree to text (``rendering``), meaning
(``checker``, ``functions``, ``values``), compiled statements (``execution``), and trying a statement on
recorded data (``replay``). Does not live here: anything that reads from a broker, a clock or a file.

Pure: everything is computed from what is passed in.
"""

from streamhub.errors import QueryError, QuerySyntaxError, QueryTypeError
from streamhub.query.execution.statement import CompiledStatement, Decision, compile_statement

__all__ = [
    "CompiledStatement",
    "Decision",
    "QueryError",
    "QuerySyntaxError",
    "QueryTypeError",
    "compile_statement",
]
