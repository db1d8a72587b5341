"""Keeps stream apps running: a daemon whose interface is a directory, and the class that reads and writes it.

The desired state of every app is a file, so it survives a restart of the platform, of the runner, and of the
machine. Use `RunnerDirectory`; the daemon is `python -m streamhub runner --directory D`.
"""

from streamhub.runner.credentials import AppCredentials
from streamhub.runner.directory import AppStatus, RunnerDirectory

__all__ = ["AppCredentials", "AppStatus", "RunnerDirectory"]
