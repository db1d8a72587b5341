"""What the services behind a proxy must be told: the address that people use, and whom to believe.

What lives here: the settings of platform and SensorThings that fit those of a proxy. What does not: starting
them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from setup.proxy.settings import ProxySettings

_LOOPBACK = ("127.0.0.1", "::1")


def service_settings(settings: ProxySettings) -> Mapping[str, str]:
    """Return the environment with which platform and SensorThings stand behind a proxy.

    Args:
        settings: Of the proxy.

    Returns:
        Settings by name. A proxy that listens on all addresses is believed on loopback only: where the
        services are on other machines, add the address from which they see it.
    """
    own = ipaddress.ip_address(settings.host)
    seen_as = _LOOPBACK if own.is_unspecified or own.is_loopback else (*_LOOPBACK, settings.host)
    proxies = ",".join(seen_as)
    told = {
        "DTWIN_PLATFORM__URL": settings.public_url,
        "DTWIN_PLATFORM__ALLOWED_HOSTS": ",".join(settings.names),
        "DTWIN_PLATFORM__TRUSTED_PROXIES": proxies,
        # Not fixed: who asks from inside is led on inside, who comes through the proxy outside.
        "DTWIN_SENSORTHINGS__ROOT_URL": "",
        "DTWIN_SENSORTHINGS__TRUSTED_PROXIES": proxies,
    }
    if settings.client_ca_file is not None:
        told["DTWIN_SENSORTHINGS__CLIENT_CA"] = str(settings.client_ca_file)
    return told
