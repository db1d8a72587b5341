"""How fast compiled statements judge records, beside a hand-written msgspec loop in the same run.

Run: ``python benchmarks/language/filter_batch.py [records]``. Prints CPU seconds per million records (best
of the rounds, interleaved). Records are about 200 bytes; the predicate looks at name and result and a
quarter matches.
"""

import sys
import time
from collections.abc import Callable

import msgspec

from streamhub.query import compile_filter

BATCH = 5_000
ROUNDS = 5
SYSTEM = "is.iceland.iot4cps-wp5-WeatherService.Stations"
WANTED = f"{SYSTEM}.Seattle.Air Temperature"
BEGINNING = "SELECT * FROM * WHERE "
CONDITIONS = {
    "name and result, a quarter matches": f"name = '{WANTED}' AND result < 4",
    "result alone": "result < 4",
    "key alone": f"name = '{WANTED}'",
    "arithmetic and a function": "abs(result * 9 / 5 + 32) < 39.2",
    "a time": "result < 4 AND phenomenonTime > '2026-01-01'",
    "everything": "TRUE",
}

Batches = list[tuple[list[bytes | None], list[bytes | None]]]


class Observation(msgspec.Struct, gc=False):
    """What the loop by hand decodes."""

    result: float | None = None


def records(count: int) -> Batches:
    names = [f"{SYSTEM}.{thing}.Air Temperature".encode() for thing in ("Seattle", "SanFrancisco")]
    keys: list[bytes | None] = [names[index % 2] for index in range(count)]
    values: list[bytes | None] = [
        (
            f'{{"phenomenonTime":"2026-01-02T03:04:05.{index % 1_000_000:06d}Z",'
            f'"resultTime":"2026-01-02T03:04:05.{index % 1_000_000:06d}Z","result":{index // 2 % 8}.25,'
            '"Datastream":{"@iot.id":42},"longitude":13.04,"latitude":47.8,"attitude":430.0,"quality":"good"}'
        ).encode()
        for index in range(count)
    ]
    return [(keys[at : at + BATCH], values[at : at + BATCH]) for at in range(0, count, BATCH)]


def by_hand(batches: Batches) -> int:
    decode = msgspec.json.Decoder(Observation).decode
    wanted = WANTED.encode()
    matched = 0
    for keys, values in batches:
        accepted = []
        for index, key in enumerate(keys):
            if key == wanted:
                result = decode(values[index] or b"").result
                if result is not None and result < 4:
                    accepted.append(index)
        matched += len(accepted)
    return matched


def compiled(condition: str) -> Callable[[Batches], int]:
    run = compile_filter(BEGINNING + condition).filter_batch
    return lambda batches: sum(len(run(keys, values).accepted) for keys, values in batches)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    batches = records(count)
    programs: dict[str, Callable[[Batches], int]] = {"by hand: name and result": by_hand}
    programs |= {name: compiled(condition) for name, condition in CONDITIONS.items()}
    best = dict.fromkeys(programs, float("inf"))
    matched: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, program in programs.items():
            begun = time.process_time()
            matched[name] = program(batches)
            best[name] = min(best[name], time.process_time() - begun)
    print(
        f"{count} records of {len(batches[0][1][0] or b'')} bytes; CPU seconds per million, best of {ROUNDS}"
    )
    for name, seconds in best.items():
        print(f"  {seconds * 1e6 / count:6.3f}  {matched[name]:>9} matched  {name}")


if __name__ == "__main__":
    main()
