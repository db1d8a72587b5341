"""The explorer's help on the query language says what the service can read."""

import pytest

from platform_ui.metadata.language import FUNCTIONS, OPERATORS, OPTIONS, Word
from sensorthings.model.entities import BY_SET_NAME
from sensorthings.odata.parser import parse_expand, parse_filter, parse_select


@pytest.mark.parametrize("word", [*OPERATORS, *FUNCTIONS], ids=lambda word: word.name)
def test_an_example_uses_its_word_and_can_be_read(word: Word) -> None:
    assert word.name in word.example
    assert parse_filter(word.example) is not None
    assert word.entities in BY_SET_NAME


@pytest.mark.parametrize("word", FUNCTIONS, ids=lambda word: word.name)
def test_a_signature_begins_with_the_functions_name(word: Word) -> None:
    assert word.signature.startswith(f"{word.name}(")


def test_no_word_is_described_twice() -> None:
    names = [word.name for word in (*OPERATORS, *FUNCTIONS, *OPTIONS)]
    assert len(names) == len(set(names))


def test_the_examples_of_options_can_be_read() -> None:
    examples = {word.name: word.example for word in OPTIONS}
    assert set(parse_expand(examples["$expand"])) == {"Observations", "Thing"}
    assert parse_select(examples["$select"]) == ("name", "unitOfMeasurement")
    assert parse_filter(examples["$filter"]) is not None
