"""What other servers need for the same requests, and the bars that ours is to keep.

Measured on two cores with 8 connections over 20 Things, 100 Datastreams and 50,000 Observations in PostgreSQL
15 with fsync on; median of three rounds of 4 s with wrk. Servers: GOST 6cd7eb2 (Go), FROST-Server
2.5-SNAPSHOT 99b36f6 (Java), istSOS4 4924510 (Python, two workers). Processor time moved by a third between
runs: compare orders, not digits, and only figures of one machine closely.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Figure:
    """What one server needed.

    Attributes:
        cpu_ms: Processor time of server and database for one request [ms].
        database_ms: That of the database alone [ms].
        rate: Requests per second [1/s].
    """

    cpu_ms: float
    database_ms: float
    rate: float


PEERS: Final[dict[str, dict[str, Figure]]] = {
    "entity": {
        "GOST": Figure(0.65, 0.44, 2232),
        "FROST": Figure(0.73, 0.18, 1688),
        "istSOS4": Figure(7.30, 0.77, 145),
    },
    "by-name": {
        "GOST": Figure(0.23, 0.10, 6971),
        "FROST": Figure(0.46, 0.11, 3379),
        "istSOS4": Figure(6.09, 0.63, 202),
    },
    "top-100": {
        "GOST": Figure(2.64, 0.44, 466),
        "FROST": Figure(24.32, 21.78, 64),
        "istSOS4": Figure(10.72, 1.93, 97),
    },
    "newest-100": {
        "GOST": Figure(3.31, 1.23, 339),
        "FROST": Figure(3.16, 0.86, 482),
        "istSOS4": Figure(13.14, 2.20, 91),
    },
    "three-expands": {
        "GOST": Figure(2.69, 0.71, 592),
        "FROST": Figure(1.63, 0.39, 975),
        "istSOS4": Figure(37.46, 15.08, 37),
    },
    "two-level-expand": {
        "GOST": Figure(1.18, 0.59, 1478),
        "FROST": Figure(1.51, 0.49, 1558),
        "istSOS4": Figure(31.15, 5.38, 36),
    },
    "last-values": {
        "GOST": Figure(3.16, 2.60, 602),
        "FROST": Figure(4.17, 1.96, 452),
        "istSOS4": Figure(18.19, 3.81, 102),
    },
    "result-filter": {
        "GOST": Figure(1.94, 0.40, 767),
        "FROST": Figure(10.98, 9.59, 115),
        "istSOS4": Figure(8.84, 1.47, 145),
    },
    "time-range": {
        "GOST": Figure(1.85, 0.37, 930),
        "FROST": Figure(2.16, 0.60, 1054),
        "istSOS4": Figure(9.76, 1.55, 192),
    },
    "by-thing-name": {
        "GOST": Figure(0.58, 0.31, 2822),
        "FROST": Figure(0.42, 0.12, 4003),
        "istSOS4": Figure(7.89, 1.00, 237),
    },
    "count": {
        "GOST": Figure(0.51, 0.32, 2539),
        "FROST": Figure(0.90, 0.46, 1635),
        "istSOS4": Figure(7.34, 1.05, 187),
    },
    "post": {
        "GOST": Figure(1.03, 0.73, 1678),
        "FROST": Figure(1.22, 0.52, 1384),
        "istSOS4": Figure(2.76, 0.96, 702),
    },
    "post-linked": {
        "GOST": Figure(0.99, 0.71, 1570),
        "FROST": Figure(1.00, 0.46, 1569),
        "istSOS4": Figure(2.81, 1.03, 765),
    },
    "data-array": {
        "GOST": Figure(78.07, 60.23, 22),
        "FROST": Figure(57.05, 28.86, 26),
        "istSOS4": Figure(249.53, 191.88, 9),
    },
    "batch": {"FROST": Figure(20.44, 8.60, 91)},
}
"""Scenario to server to its figure; what has no peer is left out."""

BARS_MS: Final[dict[str, float]] = {
    "entity": 1.0,
    "by-name": 1.0,
    "top-100": 3.0,
    "newest-100": 2.0,
    "three-expands": 3.0,
    "post": 1.5,
    "post-linked": 1.5,
    "data-array": 10.0,
}
"""Largest processor time of service and database for one request [ms]; a data array has 100 rows."""
