"""Only one bridge works in a folder."""

from pathlib import Path

import pytest

from adapters.mqtt.running import _locked
from client.errors import ConfigurationError


def test_a_second_bridge_in_the_same_folder_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first = _locked(tmp_path / "new")
    with pytest.raises(ConfigurationError, match="another bridge works"):
        _locked(tmp_path / "new")
    first.close()
    _locked(tmp_path / "new").close()
