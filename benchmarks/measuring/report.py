"""Runs of several programs as one table: medians and ratios to a reference."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.measuring.output import Output
from benchmarks.measuring.programs import Used


@dataclass(frozen=True, slots=True)
class Run:
    """One measured run: input records per second, processor seconds per million of them.

    Attributes:
        rate: Input records per second, between the first and the last record of the output [1/s].
        cpu: Processor time per million input records, from the first record on [s].
        cpu_with_start: The same with the start of the process(es) [s].
    """

    rate: float
    cpu: float
    cpu_with_start: float

    @classmethod
    def of(cls, records: int, used: Used, output: Output) -> "Run":
        """Relate what was used to the number of input records."""
        million = records / 1e6
        return cls(
            records / max(output.span_s, 1e-3),
            used.cpu_s / million,
            (used.cpu_s + used.start_cpu_s) / million,
        )


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu for run in runs),
        statistics.median(run.cpu_with_start for run in runs),
    )


def print_table(runs: Mapping[str, Sequence[Run]], reference: str) -> dict[str, Run]:
    """Print the medians of all programs, related to one of them; returns the medians."""
    medians = {name: median(each) for name, each in runs.items()}
    base = medians.get(reference)
    print(
        f"\n{'program (median)':32} {'records/s':>11} {'CPU s / 10^6':>13} {'with start':>11} "
        f"{'rate / raw':>11} {'CPU / raw':>10}"
    )
    for name, run in medians.items():
        related = "" if base is None else f"{run.rate / base.rate:>11.3f} {run.cpu / base.cpu:>10.2f}"
        print(f"{name:32} {run.rate:>11,.0f} {run.cpu:>13.2f} {run.cpu_with_start:>11.2f} {related}")
    return medians


def print_ratio(medians: Mapping[str, Run], ours: str, other: str, *, wanted: str = "") -> None:
    """Print our rate and processor time related to another program's, when both were run."""
    if ours in medians and other in medians:
        one, two = medians[ours], medians[other]
        print(
            f"{ours} / {other}: {one.rate / two.rate:.3f} x records/s, "
            f"{one.cpu / two.cpu:.3f} x CPU (with start {one.cpu_with_start / two.cpu_with_start:.3f})"
            f"{'; wanted: ' + wanted if wanted else ''}"
        )
