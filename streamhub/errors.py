"""The error tree of the streamhub room; everything else that can go wrong comes from ``client.errors``.

    StreamHubError
      QueryError                 a statement is refused; knows the place in the text and draws a caret
        QuerySyntaxError         it does not follow the grammar
        QueryTypeError           it follows the grammar but cannot mean anything
      StreamAppError             a stream app cannot do its work
        SpecificationError       what a stream app should do is not written down properly
        CopyFencedError          another process runs the same copy of the app
        ContractEndedError       a contract that binds the app has ended
        RunnerError              the runner or its directory cannot be used
          RunnerBusyError        another runner already works on the directory

Lives here: the tree and the drawing of the caret. Does not live here: who raises what.
"""

from client.errors import DigitalTwinError

__all__ = [
    "ContractEndedError",
    "CopyFencedError",
    "QueryError",
    "QuerySyntaxError",
    "QueryTypeError",
    "RunnerBusyError",
    "RunnerError",
    "SpecificationError",
    "StreamAppError",
    "StreamHubError",
]

_EXCERPT_COLUMNS = 100  # widest piece of a line that a terminal shows well


class StreamHubError(DigitalTwinError):
    """Be the root of everything that streamhub raises."""


class QueryError(StreamHubError):
    """Refuse a statement, with the place in its text.

    Attributes:
        reason: What is wrong, one sentence without the position.
        statement: The whole text as it was given.
        line: Line of the fault, counted from 1.
        column: Column of the fault in characters, counted from 1.
        expected: What could have stood there instead, in words; empty when that says nothing.
    """

    def __init__(
        self, reason: str, *, statement: str, line: int, column: int, expected: tuple[str, ...] = ()
    ) -> None:
        self.reason = reason
        self.statement = statement
        self.line = line
        self.column = column
        self.expected = expected
        super().__init__(f"line {line}, column {column}: {reason}{self._expectation()}")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling although the constructor wants keywords."""
        return (
            _rebuild,
            (type(self), self.reason, (self.line, self.column), self.statement, self.expected),
        )

    def _expectation(self) -> str:
        if not self.expected:
            return ""
        *others, last = self.expected
        return f"; expected {', '.join(others)} or {last}" if others else f"; expected {last}"

    def render(self) -> str:
        """Draw the message, the line it is about and a caret under the column; no final newline."""
        lines = self.statement.split("\n")
        line = lines[self.line - 1] if self.line <= len(lines) else ""
        first = max(0, self.column - 1 - _EXCERPT_COLUMNS // 2)
        shown = "".join(c if c.isprintable() else " " for c in line[first : first + _EXCERPT_COLUMNS])
        lead = "…" if first else ""
        tail = "…" if first + _EXCERPT_COLUMNS < len(line) else ""
        caret = " " * (len(lead) + self.column - 1 - first) + "^"
        return f"{self}\n  {lead}{shown}{tail}\n  {caret}"


def _rebuild(
    kind: type[QueryError], reason: str, place: tuple[int, int], statement: str, expected: tuple[str, ...]
) -> QueryError:
    line, column = place
    return kind(reason, statement=statement, line=line, column=column, expected=expected)


class QuerySyntaxError(QueryError):
    """Say that a statement does not follow the grammar."""


class QueryTypeError(QueryError):
    """Say that a statement follows the grammar but cannot mean anything, such as text times three."""


class StreamAppError(StreamHubError):
    """Say that a stream app cannot do its work."""


class SpecificationError(StreamAppError):
    """Say that what a stream app should do is not written down properly."""


class CopyFencedError(StreamAppError):
    """Say that another process took over the transactional id or the group membership of this copy.

    Attributes:
        kafka: What Kafka said.
    """

    def __init__(self, message: str, *, kafka: str = "") -> None:
        super().__init__(message)
        self.kafka = kafka


class ContractEndedError(StreamAppError):
    """Say that a contract which binds the app has ended, so that it may pass nothing on any more.

    Attributes:
        contract: Id of the contract.
    """

    def __init__(self, message: str, *, contract: str = "") -> None:
        super().__init__(message)
        self.contract = contract


class RunnerError(StreamAppError):
    """Say that the runner, or the directory it works on, cannot be used."""


class RunnerBusyError(RunnerError):
    """Say that another runner already works on the directory."""
