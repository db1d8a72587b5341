"""The description of the HTTP API as it is committed, for programs that are made of it.

To write it anew: python -m tests.house.api_description
"""

import json
import secrets
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from platform_ui.app import create_app
from platform_ui.documents.openapi import describe
from platform_ui.settings import PlatformSettings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "reference" / "openapi.json"
COMMITTED_VERSION = "1"  # of the API: the version of the distribution changes with every release


def new_app() -> FastAPI:
    """The site as it is put together; nothing of it connects."""
    return create_app(
        PlatformSettings(
            database_url="postgresql+psycopg://nobody@127.0.0.1:9/nothing",
            secret_key=secrets.token_hex(32),
            kafka_bootstrap_servers="127.0.0.1:9",
            sensorthings_url="http://127.0.0.1:9",
            runner_directory=Path("runner"),
        )
    )


def description() -> dict[str, Any]:
    """What the application says of its API."""
    found = json.loads(json.dumps(describe(new_app())))
    found["info"]["version"] = COMMITTED_VERSION
    return dict(found)


def text_of(document: dict[str, Any]) -> str:
    """The file's text."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text_of(description()), encoding="utf-8")
    print(FILE)
