"""Filters held to the observation type: what a strict service refuses to compare.

What lives here: which constants `result` is compared with, against what the Datastream's observationType
lets a result be. What does not: the look-up of the type (`sensorthings.http.reads`), bodies
(`sensorthings.writes`).

Source: OGC 18-088, table 12 (observation types and the types of their results).
"""

from collections.abc import Iterator
from decimal import Decimal

from client.metadata.entities import OBSERVATION_TYPE_PREFIX
from sensorthings.errors import QueryTypeError
from sensorthings.odata.nodes import Junction, Literal, Membership, Negation, Node, Operation, Path
from sensorthings.queries.comparisons import COMPARISONS

_FITTING: dict[str, tuple[type, ...]] = {
    "OM_Measurement": (int, Decimal),
    "OM_CountObservation": (int, Decimal),
    "OM_TruthObservation": (bool,),
    "OM_CategoryObservation": (str,),
}


def check_filter(node: Node, observation_type: str) -> None:
    """Check what `result` is compared with.

    Raises:
        QueryTypeError: A constant is of a kind that no result of this observation type has.
    """
    name = observation_type.removeprefix(OBSERVATION_TYPE_PREFIX)
    fitting = _FITTING.get(name)
    if fitting is None:
        return
    for value in _compared(node):
        # A truth value is an int in Python.
        if value is not None and (type(value) not in fitting):
            raise QueryTypeError(
                f"$filter: result is compared with {value!r}, which no result of an {name} can equal.",
                "Compare with a value of the Datastream's observationType, "
                "or switch DTWIN_SENSORTHINGS__STRICT_TYPES off.",
            )


def _compared(node: Node) -> Iterator[object]:
    if isinstance(node, Junction):
        for part in node.parts:
            yield from _compared(part)
    elif isinstance(node, Negation):
        yield from _compared(node.operand)
    elif isinstance(node, Operation) and node.operator in COMPARISONS:
        yield from _constants(node.left, (node.right,))
        yield from _constants(node.right, (node.left,))
    elif isinstance(node, Membership):
        yield from _constants(node.operand, node.values)


def _constants(operand: Node, others: tuple[Node, ...]) -> Iterator[object]:
    if isinstance(operand, Path) and operand.steps == ("result",):
        yield from (other.value for other in others if isinstance(other, Literal))
