"""The proxy of one home: settings completed from what runs there, its certificate, its process.

What lives here: putting the parts together. What does not: the parts (siblings of this module).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from setup.local.paths import Home
from setup.local.state import StateFile
from setup.proxy.certificates import (
    authority_certificate,
    authority_folder,
    ensure_certificate,
    read_passphrase,
)
from setup.proxy.local import LocalProxy
from setup.proxy.program import Nginx
from setup.proxy.settings import PREFIX, ProxySettings

_UPSTREAMS = ("platform", "sensorthings")


def proxy_folder(home: Home) -> Path:
    """Return the folder of configuration, certificate and logs."""
    return home.folder / "proxy"


def proxy_of(
    home: Home, environment: Mapping[str, str] = os.environ, *, nginx: Nginx | None = None
) -> LocalProxy:
    """Return the proxy of a home, with a certificate that lasts.

    What the environment does not say comes from the home: where the running services are, and the authority.

    Args:
        home: Its folders.
        environment: Settings.
        nginx: The program; found when None.

    Raises:
        ConfigurationError: a setting is wrong, or there is no certificate and nobody to sign one.
        SetupError: the state file cannot be read.
    """
    settings = settings_of(home, environment)
    proxy = LocalProxy(proxy_folder(home), settings, nginx=nginx)
    proxy.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = authority_folder(home, environment)
    ensure_certificate(settings, proxy.places, folder, read_passphrase(home, environment))
    proxy.process = proxy.running()
    return proxy


def settings_of(home: Home, environment: Mapping[str, str] = os.environ) -> ProxySettings:
    """Return the settings of a home's proxy, completed from what runs there.

    Raises:
        ConfigurationError: one is wrong.
        SetupError: the state file cannot be read.
    """
    settings = ProxySettings.from_environment({**_running(home, environment), **environment})
    if settings.client_ca_file is None:
        settings = replace(
            settings, client_ca_file=authority_certificate(authority_folder(home, environment))
        )
    return settings


def keep_certificate(home: Home, proxy: LocalProxy, environment: Mapping[str, str] = os.environ) -> bool:
    """Renew the certificate of a running proxy when it is time; let nginx take over whatever file is new.

    Returns:
        Whether there was something to take over.

    Raises:
        ConfigurationError: nobody is there to sign it, or nginx refuses the new files.
        PartNotReadyError: the proxy does not run.
    """
    folder = authority_folder(home, environment)
    ensure_certificate(proxy.settings, proxy.places, folder, read_passphrase(home, environment))
    if not proxy.has_new_files():
        return False
    proxy.reload()
    return True


def present_proxy(home: Home) -> LocalProxy:
    """Return the proxy that runs on a home, whatever its settings are now; its process is None when none."""
    proxy = LocalProxy(proxy_folder(home), ProxySettings())
    proxy.process = proxy.running()
    return proxy


def _running(home: Home, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses of the services that run here, as settings, where the environment names none."""
    parts = StateFile(home.state_file).parts()
    found = {}
    for name in _UPSTREAMS:
        setting = PREFIX + name.upper()
        part = parts.get(name)
        if part is not None and part.address.startswith("http://") and not environment.get(setting):
            found[setting] = part.address.removeprefix("http://").rstrip("/")
    return found
