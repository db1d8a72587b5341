"""The two errors of the language, under the name of this package; the tree is in ``streamhub.errors``."""

from streamhub.errors import QueryError, QuerySyntaxError, QueryTypeError

__all__ = ["QueryError", "QuerySyntaxError", "QueryTypeError"]
