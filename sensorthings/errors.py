"""Errors of the SensorThings service, as one tree.

What lives here: what can be wrong with a request, as exceptions that carry everything an RFC 9457 problem
document needs. What does not: turning them into answers, which `sensorthings.http.problems` does in one
place.

    DigitalTwinError
      RequestError                 a client's mistake: status 4xx (or 501 for what this service does not have)
        QuerySyntaxError           a query option that cannot be read; knows the option and the column
        BodyError                  a request body that breaks the entity's description; knows the place
        EntityMissingError         404: unknown set, entity, property or path
        MethodError                405: a method that does not fit the resource
        UnauthenticatedError       401: nobody is known to ask
        ForbiddenError             403: who asks may see this, but not change it
        BusyError                  503: no connection to the database became free
"""

from client.errors import DigitalTwinError


class RequestError(DigitalTwinError):
    """A request that cannot be served as it is; says which status, why, and what to do instead.

    Attributes:
        status: HTTP status of the answer.
        code: Stable identifier of the kind of mistake, such as `query.bad_option`.
        detail: What is wrong, and where.
        hint: The next step for whoever sent the request.
    """

    def __init__(self, status: int, code: str, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint


class QuerySyntaxError(RequestError):
    """A query option's text cannot be read (400).

    Attributes:
        option: Name of the query option, such as `$filter`.
        column: Place in the option's text, counted from 1; 0 when unknown.
    """

    def __init__(self, option: str, detail: str, *, column: int = 0, hint: str = "") -> None:
        place = f"{option}, column {column}" if column else option
        super().__init__(400, "query.syntax", f"{place}: {detail}", hint or f"Check the text of {option}.")
        self.option = option
        self.column = column


class QueryTypeError(RequestError):
    """A query option names something unknown, or combines what does not fit together (400)."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(400, "query.type", detail, hint or "Check names and types in the query options.")


class UnsupportedError(RequestError):
    """The standard knows this, this service does not have it yet (501)."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(
            501, "request.unsupported", detail, hint or "See serverSettings on the landing page."
        )


class BodyError(RequestError):
    """A request body breaks the description of its entity (400).

    Attributes:
        place: JSON pointer (RFC 6901) to the wrong part; empty for the whole body.
    """

    def __init__(self, code: str, detail: str, *, place: str = "", hint: str = "") -> None:
        where = f"{place}: {detail}" if place else detail
        super().__init__(400, code, where, hint or "Correct the request body and send it again.")
        self.place = place


class EntityMissingError(RequestError):
    """Nothing is at this address (404)."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(404, "resource.not_found", detail, hint or "The landing page lists the entity sets.")


class MethodError(RequestError):
    """A method that does not fit the resource (405).

    Attributes:
        allowed: Methods that fit, as in the Allow header.
    """

    def __init__(self, method: str, allowed: str, hint: str) -> None:
        super().__init__(405, "http.method_not_allowed", f"{method} does not fit this resource.", hint)
        self.allowed = allowed


class UnauthenticatedError(RequestError):
    """The service does not know who asks (401)."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(401, "access.unauthenticated", detail, hint)


class ForbiddenError(RequestError):
    """Who asks may see this, but not do that to it (403)."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(
            403, "access.forbidden", detail, hint or "Ask an agent of the system that it belongs to."
        )


class BusyError(RequestError):
    """No connection to the database became free in time (503)."""

    def __init__(self, reason: str) -> None:
        super().__init__(503, "service.busy", f"No database connection became free: {reason}.", "Try again.")
