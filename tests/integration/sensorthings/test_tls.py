"""Client certificates over the service's own TLS, and the commands that administer access."""

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from setup.local.ports import any_free_port
from setup.local.processes import start_process
from tests.certificates import Signed, TestAuthority
from tests.integration.sensorthings.tenants import client_cert

pytestmark = pytest.mark.postgres
SYSTEM = "aa.alpha.work.One"
CLIENT = f"{SYSTEM}.client"
_READY_TIMEOUT_S = 60.0
CLONE = Path(__file__).parents[3]


@dataclass(frozen=True)
class Served:
    """A service with TLS."""

    url: str
    database: str
    folder: Path
    authority: TestAuthority

    def client(self, signed: Signed | None = None, name: str = "client") -> httpx2.Client:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if signed is not None:
            certificate, key = signed.write(self.folder, name)
            context.load_cert_chain(certificate, key)
        return httpx2.Client(verify=context, timeout=60)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sensorthings", "access", *words],
            env=os.environ | {"DTWIN_SENSORTHINGS__DATABASE_URL": self.database},
            cwd=CLONE,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def served(new_database: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tls")
    authority, database, port = TestAuthority(), new_database("tls"), any_free_port()
    client_ca, _ = authority.own.write(folder, "ca")
    certificate, key = authority.sign("service", server=True).write(folder, "service")
    command = [sys.executable, "-m", "sensorthings", "serve", "--port", str(port)]
    process = start_process(
        [*command, "--certfile", str(certificate), "--keyfile", str(key), "--client-ca", str(client_ca)],
        log_file=folder / "service.log",
        environment=os.environ | {"DTWIN_SENSORTHINGS__DATABASE_URL": database},
        folder=CLONE,
    )
    found = Served(f"https://127.0.0.1:{port}", database, folder, authority)
    try:
        with found.client() as http:
            _wait(http, f"{found.url}/health/ready")
        yield found
    finally:
        process.end()


def _wait(http: httpx2.Client, url: str) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while True:
        try:
            if http.get(url).status_code == 200:
                return
        except httpx2.TransportError:
            assert time.monotonic() < deadline, "the service did not start"
        time.sleep(0.1)


def test_a_client_certificate_is_known_by_its_common_name(served: Served) -> None:
    made = served.command("principal", CLIENT, "--write", SYSTEM)
    assert made.stdout == f"{CLIENT} is made\n", made.stderr
    with served.client(served.authority.sign(CLIENT)) as http:
        answer = http.get(f"{served.url}/access/v1/me").json()
        assert (answer["name"], answer["home"]) == (CLIENT, SYSTEM)
        assert http.get(f"{served.url}/v1.1/Things").status_code == 200


def test_without_a_certificate_a_token_counts_and_nothing_else(served: Served) -> None:
    served.command("principal", CLIENT, "--write", SYSTEM)
    token = served.command("token", CLIENT, "--days", "1").stdout.strip()
    with served.client() as http:
        address = f"{served.url}/v1.1/Things"
        assert http.get(address).status_code == 401
        assert http.get(address, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_certificate_of_nobody_is_refused(served: Served) -> None:
    with served.client(served.authority.sign("nobody.here")) as http:
        assert http.get(f"{served.url}/v1.1/Things").status_code == 401


def test_a_certificate_of_another_authority_does_not_get_in(served: Served) -> None:
    signed = TestAuthority("Other").sign(CLIENT)
    with served.client(signed, "other") as http, pytest.raises(httpx2.TransportError):
        http.get(f"{served.url}/v1.1/Things")


def test_a_header_cannot_stand_for_a_certificate_without_a_trusted_proxy(served: Served) -> None:
    header = client_cert(served.authority.sign(CLIENT).der) | {"X-Forwarded-For": "127.0.0.1"}
    with served.client() as http:
        assert http.get(f"{served.url}/v1.1/Things", headers=header).status_code == 401


@pytest.mark.extended
def test_commands_list_revoke_and_remove(served: Served) -> None:
    served.command("principal", "leaver", "--read", SYSTEM)
    token = served.command("token", "leaver").stdout.strip()
    header = {"Authorization": f"Bearer {token}"}
    assert f"leaver: {SYSTEM} (read)" in served.command("list").stdout
    with served.client() as http:
        assert served.command("revoke", "leaver").returncode == 0
        assert http.get(f"{served.url}/v1.1/Things", headers=header).status_code == 401
    assert served.command("remove", "leaver").returncode == 0
    again = served.command("remove", "leaver")
    assert again.returncode == 1
    assert "There is no principal leaver" in again.stderr
