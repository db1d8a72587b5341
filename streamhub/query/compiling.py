"""From the text of a statement to what runs it.

Lives here: the ways to compile. Does not live here: what is compiled (``execution`` for statements that
pass records on, ``derivation`` for those that make new ones), whether it means anything (``checker``).
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from streamhub.errors import QueryTypeError
from streamhub.query import nodes
from streamhub.query.checker import check_condition, check_outputs, check_statement, is_output
from streamhub.query.derivation.derivation import Derivation
from streamhub.query.execution.constants import ConstantError
from streamhub.query.execution.statement import CompiledStatement
from streamhub.query.parser import parse_condition, parse_statement
from streamhub.query.restriction import Restriction, check_attributes

__all__ = ["compile_condition", "compile_filter", "compile_statement", "compile_trial"]

_NO_RESTRICTIONS: Mapping[str, Restriction] = {}


def compile_statement(
    statement: str, restrictions: Mapping[str, Restriction] = _NO_RESTRICTIONS
) -> CompiledStatement | Derivation:
    """Compile a statement once, to be run over many records.

    Args:
        statement: The text, such as ``SELECT * FROM * WHERE result < 4;``.
        restrictions: What may leave of each system, as the statement names it; ``*`` for the source of
            ``FROM *``. Systems that are not named are not restricted.

    Returns:
        A ``CompiledStatement`` when records of one source are passed on; a ``Derivation`` when new records
        are made, of joined ones or by computing.

    Raises:
        QuerySyntaxError: The text does not follow the grammar.
        QueryTypeError: It follows the grammar but cannot mean anything, or looks at what may not leave.
    """
    tree = _checked(statement)
    check_attributes(tree, statement, restrictions)
    found = [restrictions.get(source.system) for source in tree.streams]
    if not tree.joins and not any(map(is_output, tree.columns or ())):
        return _compiled(lambda: CompiledStatement(statement, tree, found[0]), statement)
    check_outputs(tree, statement)
    return _compiled(lambda: Derivation(statement, tree, found), statement)


def compile_condition(condition: str) -> CompiledStatement:
    """Compile a condition that stands alone, such as the predicate of a contract, to judge records with it.

    Args:
        condition: What may stand after WHERE in a statement of one source, such as ``result < 4``.

    Returns:
        A statement that lets everything through for which the condition holds; ``tree.where`` is the
        condition as a tree, ``text`` is the text as it was given.

    Raises:
        QuerySyntaxError: The text does not follow the grammar, or is more than a condition.
        QueryTypeError: It follows the grammar but cannot mean anything.
    """
    where = parse_condition(condition)
    check_condition(where, condition)
    tree = nodes.Statement(None, (nodes.Source("*"),), where=where)
    return _compiled(lambda: CompiledStatement(condition, tree), condition)


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
    return _compiled(lambda: CompiledStatement(statement, tree), statement)


def compile_trial(statement: str) -> CompiledStatement | Derivation:
    """Compile a statement to try it: joined columns need no names that Datastreams can have either.

    Raises:
        QuerySyntaxError: The text does not follow the grammar.
        QueryTypeError: It follows the grammar but cannot mean anything.
    """
    tree = _checked(statement)
    if tree.joins:
        return _compiled(lambda: Derivation(statement, tree), statement)
    return _compiled(lambda: CompiledStatement(statement, tree), statement)


def _checked(statement: str) -> nodes.Statement:
    tree = parse_statement(statement)
    check_statement(tree, statement)
    return tree


_Compiled = TypeVar("_Compiled")


def _compiled(make: Callable[[], _Compiled], text: str) -> _Compiled:
    try:
        return make()
    except ConstantError as error:
        at = error.expression.at
        raise QueryTypeError(
            "this can never be computed", statement=text, line=at.line, column=at.column
        ) from error
