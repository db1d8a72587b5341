"""From the text of a statement to what runs it.

Lives here: the three ways to compile. Does not live here: what is compiled (``execution`` for statements that
pass records on, ``derivation`` for those that make new ones), whether it means anything (``checker``).
"""

from collections.abc import Callable
from typing import TypeVar

from streamhub.errors import QueryTypeError
from streamhub.query import nodes
from streamhub.query.checker import check_outputs, check_statement, is_output
from streamhub.query.derivation.derivation import Derivation
from streamhub.query.execution.constants import ConstantError
from streamhub.query.execution.statement import CompiledStatement
from streamhub.query.parser import parse_statement

__all__ = ["compile_filter", "compile_statement", "compile_trial"]


def compile_statement(statement: str) -> CompiledStatement | Derivation:
    """Compile a statement once, to be run over many records.

    Args:
        statement: The text, such as ``SELECT * FROM * WHERE result < 4;``.

    Returns:
        A ``CompiledStatement`` when records of one source are passed on; a ``Derivation`` when new records
        are made, of joined ones or by computing.

    Raises:
        QuerySyntaxError: The text does not follow the grammar.
        QueryTypeError: It follows the grammar but cannot mean anything.
    """
    tree = _checked(statement)
    if not tree.joins and not any(map(is_output, tree.columns or ())):
        return _compiled(CompiledStatement, statement, tree)
    check_outputs(tree, statement)
    return _compiled(Derivation, statement, tree)


def compile_filter(statement: str) -> CompiledStatement:
    """Compile a statement of one source to judge records with it, or to see its columns beside each record.

    As ``compile_statement``, but computed columns make no new records, so any name will do for them.

    Raises:
        QuerySyntaxError: The text does not follow the grammar.
        QueryTypeError: It follows the grammar but cannot mean anything, or it has a JOIN.
    """
    tree = _checked(statement)
    if tree.joins:
        at = tree.joins[0].at
        reason = "records are judged one by one here, so there is nothing to JOIN"
        raise QueryTypeError(reason, statement=statement, line=at.line, column=at.column)
    return _compiled(CompiledStatement, statement, tree)


def compile_trial(statement: str) -> CompiledStatement | Derivation:
    """Compile a statement to try it: joined columns need no names that Datastreams can have either.

    Raises:
        QuerySyntaxError: The text does not follow the grammar.
        QueryTypeError: It follows the grammar but cannot mean anything.
    """
    tree = _checked(statement)
    if tree.joins:
        return _compiled(Derivation, statement, tree)
    return _compiled(CompiledStatement, statement, tree)


def _checked(statement: str) -> nodes.Statement:
    tree = parse_statement(statement)
    check_statement(tree, statement)
    return tree


_Compiled = TypeVar("_Compiled")


def _compiled(
    make: Callable[[str, nodes.Statement], _Compiled], text: str, tree: nodes.Statement
) -> _Compiled:
    try:
        return make(text, tree)
    except ConstantError as error:
        at = error.expression.at
        raise QueryTypeError(
            "this can never be computed", statement=text, line=at.line, column=at.column
        ) from error
