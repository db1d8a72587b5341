"""What the proxy answers itself: a problem for programs, a page for people.

What lives here: the texts. What does not: answers of the services, which pass as they are.

Source: RFC 9457, clause 3 "Members of a Problem Details Object".
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of the proxy's own.

    Attributes:
        causes: nginx's codes that lead to it; its own ones, from 494 on, are not of HTTP.
        status: What is answered.
        code: Stable word for programs.
        title: HTTP's phrase for the status.
        detail: What is wrong.
        hint: What to do.
    """

    causes: tuple[int, ...]
    status: int
    code: str
    title: str
    detail: str
    hint: str

    @property
    def problem(self) -> str:
        """The problem document (JSON)."""
        return json.dumps(
            {
                "type": "about:blank",
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                "hint": self.hint,
            }
        )

    @property
    def page(self) -> str:
        """The page (HTML), without style or script."""
        title, detail, hint = (html.escape(text) for text in (self.title, self.detail, self.hint))
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
            f"<body><h1>{title}</h1><p>{detail}</p><p>{hint}</p></body></html>"
        )


REFUSALS = (
    Refusal(
        (400,),
        400,
        "proxy.malformed",
        "Bad Request",
        "The request is malformed, or its address can be read in two ways.",
        "Send the address without dot segments and without encoded slashes around them.",
    ),
    Refusal(
        (403,),
        403,
        "proxy.refused",
        "Forbidden",
        "This is not open to requests from outside.",
        "Use https://, and leave out the header DTWIN-Act-As: only the platform itself acts for others.",
    ),
    Refusal(
        (404,),
        404,
        "proxy.not_found",
        "Not Found",
        "There is nothing at this address.",
        "The platform is at /, its API at /api/v1, SensorThings at /v1.1.",
    ),
    Refusal(
        (408,),
        408,
        "proxy.too_slow",
        "Request Timeout",
        "The request did not arrive in time.",
        "Send it again, whole.",
    ),
    Refusal(
        (413,),
        413,
        "proxy.too_large",
        "Content Too Large",
        "The request is larger than this service accepts.",
        "Send it in several parts.",
    ),
    Refusal(
        (414,),
        414,
        "proxy.address_too_long",
        "URI Too Long",
        "The address is too long.",
        "Shorten the query.",
    ),
    Refusal(
        (421,),
        421,
        "proxy.unknown_name",
        "Misdirected Request",
        "This server is not known by that host name.",
        "Use the name that you were given; whoever runs the server lists its names in DTWIN_PROXY__NAMES.",
    ),
    Refusal(
        (429,),
        429,
        "proxy.too_many",
        "Too Many Requests",
        "Too many requests came from this address.",
        "Wait a second, then go on more slowly; send many Observations in one request.",
    ),
    Refusal(
        (494,),
        431,
        "proxy.headers_too_large",
        "Request Header Fields Too Large",
        "The headers of the request are too large.",
        "Remove cookies or headers that are not needed.",
    ),
    Refusal(
        (495, 496),
        400,
        "proxy.certificate",
        "Bad Request",
        "The client certificate was not accepted: it has expired, or another authority signed it.",
        "Renew it on the page of the client app, or connect without a certificate.",
    ),
    Refusal(
        (497,),
        400,
        "proxy.tls_needed",
        "Bad Request",
        "This port speaks TLS only.",
        "Write https:// in the address.",
    ),
    Refusal(
        (500,),
        500,
        "proxy.failed",
        "Internal Server Error",
        "The entry proxy failed.",
        "Try again; whoever runs the server finds the cause in the log of the proxy.",
    ),
    Refusal(
        (502, 503),
        503,
        "proxy.unavailable",
        "Service Unavailable",
        "The service does not answer at the moment.",
        "Try again in a few seconds; whoever runs the server asks dtwin status.",
    ),
    Refusal(
        (504,),
        504,
        "proxy.timeout",
        "Gateway Timeout",
        "The service did not answer in time.",
        "Ask for less at a time, or try again later.",
    ),
)
