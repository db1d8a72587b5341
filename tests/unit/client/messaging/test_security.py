"""Security settings are complete before any connection is opened."""

from pathlib import Path

import pytest

from client.errors import ConfigurationError
from client.messaging.security import KafkaSecurity


def pem(tmp_path: Path, name: str) -> str:
    path = tmp_path / name
    path.write_text("-----BEGIN-----", encoding="utf-8")
    return str(path)


def test_nothing_set_means_plaintext() -> None:
    assert KafkaSecurity.from_environment({}).to_librdkafka() == {"security.protocol": "PLAINTEXT"}


def test_mutual_tls_is_read_from_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n", encoding="utf-8")
    security = KafkaSecurity.from_environment(
        {
            "DTWIN_KAFKA__SECURITY_PROTOCOL": "SSL",
            "DTWIN_KAFKA__SSL_CA_FILE": pem(tmp_path, "ca.pem"),
            "DTWIN_KAFKA__SSL_CERTIFICATE_FILE": pem(tmp_path, "car_1.pem"),
            "DTWIN_KAFKA__SSL_KEY_FILE": pem(tmp_path, "car_1.key"),
            "DTWIN_KAFKA__SSL_KEY_PASSWORD_FILE": str(secret),
        }
    )
    assert security.to_librdkafka() == {
        "security.protocol": "SSL",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "ssl.certificate.location": str(tmp_path / "car_1.pem"),
        "ssl.key.location": str(tmp_path / "car_1.key"),
        "ssl.key.password": "hush",
        "ssl.endpoint.identification.algorithm": "https",
    }


def test_scram_is_read_from_the_environment() -> None:
    settings = KafkaSecurity.from_environment(
        {
            "DTWIN_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "DTWIN_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
            "DTWIN_KAFKA__SASL_USERNAME": "car_1",
            "DTWIN_KAFKA__SASL_PASSWORD": "hush",
        }
    ).to_librdkafka()
    assert settings["sasl.mechanism"] == "SCRAM-SHA-512"
    assert settings["sasl.password"] == "hush"


def test_tokens_are_read_from_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n", encoding="utf-8")
    security = KafkaSecurity.from_environment(
        {
            "DTWIN_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "DTWIN_KAFKA__SASL_MECHANISM": "OAUTHBEARER",
            "DTWIN_KAFKA__OAUTH_CLIENT_ID": "car_1",
            "DTWIN_KAFKA__OAUTH_CLIENT_SECRET_FILE": str(secret),
            "DTWIN_KAFKA__OAUTH_TOKEN_URL": "https://id.example.org/token",
            "DTWIN_KAFKA__OAUTH_SCOPE": "kafka",
            "DTWIN_KAFKA__OAUTH_CA_FILE": pem(tmp_path, "ca.pem"),
        }
    )
    assert security.to_librdkafka() == {
        "security.protocol": "SASL_SSL",
        "ssl.endpoint.identification.algorithm": "https",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "car_1",
        "sasl.oauthbearer.client.secret": "hush",
        "sasl.oauthbearer.token.endpoint.url": "https://id.example.org/token",
        "sasl.oauthbearer.scope": "kafka",
        "https.ca.location": str(tmp_path / "ca.pem"),
    }
    assert "hush" not in repr(security)


def test_secrets_do_not_show() -> None:
    security = KafkaSecurity(
        protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", sasl_username="car_1", sasl_password="hush"
    )
    assert "hush" not in repr(security)


TOKENS = {
    "SECURITY_PROTOCOL": "SASL_SSL",
    "SASL_MECHANISM": "OAUTHBEARER",
    "OAUTH_CLIENT_ID": "x",
    "OAUTH_CLIENT_SECRET": "x",
    "OAUTH_TOKEN_URL": "https://id.example.org/token",
}


@pytest.mark.parametrize(
    ("environment", "setting"),
    [
        ({"SECURITY_PROTOCOL": "TLS"}, "SECURITY_PROTOCOL"),
        ({"SSL_CA_FILE": __file__}, "SECURITY_PROTOCOL"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CA_FILE": "/nowhere/ca.pem"}, "SSL_CA_FILE"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CERTIFICATE_FILE": __file__}, "SSL_KEY_FILE"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_KEY_FILE": __file__}, "SSL_CERTIFICATE_FILE"),
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "SASL_MECHANISM"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN"}, "SASL_USERNAME"),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN", "SASL_USERNAME": "x"},
            "SASL_PASSWORD",
        ),
        ({"SASL_PASSWORD_FILE": "/nowhere/secret"}, "SASL_PASSWORD_FILE"),
        (TOKENS | {"OAUTH_CLIENT_ID": ""}, "OAUTH_CLIENT_ID"),
        (TOKENS | {"OAUTH_CLIENT_SECRET": ""}, "OAUTH_CLIENT_SECRET"),
        (TOKENS | {"OAUTH_TOKEN_URL": ""}, "OAUTH_TOKEN_URL"),
        (TOKENS | {"OAUTH_TOKEN_URL": "id.example.org/token"}, "OAUTH_TOKEN_URL"),
        (TOKENS | {"OAUTH_CA_FILE": "/nowhere/ca.pem"}, "OAUTH_CA_FILE"),
    ],
)
def test_an_incomplete_setting_is_named(environment: dict[str, str], setting: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        KafkaSecurity.from_environment({f"DTWIN_KAFKA__{name}": value for name, value in environment.items()})
    assert caught.value.setting == f"DTWIN_KAFKA__{setting}"
