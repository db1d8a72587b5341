"""The examples in the documentation of the client run."""

import doctest
from types import ModuleType

import pytest

import client.metadata.times
import client.testing


@pytest.mark.parametrize("module", [client.metadata.times, client.testing])
def test_the_examples_of_a_module_give_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
