"""Something that behaves to its runner as a stream app does, without Kafka; run as a program by tests.

Its specification says how it behaves: `run`, `stubborn` (does not hear SIGTERM), `grow` (takes 80 MB), or
`exit N`.
"""

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path


def main() -> None:
    """Behave."""
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    behaviour = Path(given["--specification"]).read_text(encoding="utf-8")
    progress = Path(given["--progress-file"])
    print(f"error: told to {behaviour}", flush=True)
    if behaviour.startswith("exit "):
        sys.exit(int(behaviour.split()[1]))
    handler = signal.SIG_IGN if behaviour == "stubborn" else lambda *_: sys.exit(0)
    signal.signal(signal.SIGTERM, handler)
    held = b"x" * 80_000_000 if behaviour == "grow" else b""
    while True:
        document = {
            "pid": os.getpid(),
            "state": "running",
            "updated_at": datetime.now(UTC).isoformat(),
            "consumed": len(held),
        }
        draft = progress.with_suffix(".new")
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(progress)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
