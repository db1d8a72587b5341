"""The naive way: a Faust agent as in Faust's tutorial, at least once.

Prints {"cpu_s": processor time of the agent}.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time

import faust

parser = argparse.ArgumentParser()
parser.add_argument("--bootstrap-server", required=True)
parser.add_argument("--source", required=True)
parser.add_argument("--target", required=True)
parser.add_argument("--records", type=int, required=True)
parser.add_argument("--limit", type=float, required=True)
given = parser.parse_args()

app = faust.App(
    f"agent-{given.target}",
    broker=f"kafka://{given.bootstrap_server}",
    value_serializer="json",
    key_serializer="raw",
    web_enabled=False,
    topic_disable_leader=True,
    topic_allow_declare=False,
    datadir=tempfile.mkdtemp(),
    consumer_auto_offset_reset="earliest",
)
source = app.topic(given.source)
target = app.topic(given.target)


@app.agent(source)  # type: ignore[untyped-decorator]
async def forward(stream: faust.Stream) -> None:
    seen, started_cpu = 0, 0.0
    async for key, value in stream.items():
        started_cpu = started_cpu or time.process_time()
        if value["result"] < given.limit:
            await target.send(key=key, value=value)
        seen += 1
        if seen == given.records:
            await asyncio.sleep(1.0)
            print(json.dumps({"cpu_s": time.process_time() - started_cpu}), flush=True)
            os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    worker = faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False)
    worker.spinner = None
    sys.exit(worker.execute_from_commandline())
