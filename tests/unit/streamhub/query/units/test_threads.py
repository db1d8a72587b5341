"""Pages check statements in threads, the first of them at the same time."""

import subprocess
import sys

PROGRAM = """
import threading
from streamhub.query.units import parse_unit

codes = ["degC", "K", "m/s", "km/h", "N.m", "rpm", "W", "kW.h", "[degF]", "mm[Hg]", "dB", "%", "J/(kg.K)"]
failures = []
start = threading.Barrier(6)

def read():
    start.wait()
    for code in codes:
        try:
            parse_unit(code)
        except Exception as error:
            failures.append(repr(error))

threads = [threading.Thread(target=read) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failures)
"""


def test_the_first_units_can_be_read_by_several_threads_at_once() -> None:
    # A process of its own: in this one the libraries may be loaded already.
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
