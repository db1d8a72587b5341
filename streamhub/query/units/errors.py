"""The one error of this package, in its own module so that everything here can import it."""

from streamhub.errors import StreamHubError

__all__ = ["UnitError"]


class UnitError(StreamHubError):
    """Say that a text is no unit, or that two units have nothing to do with each other."""
