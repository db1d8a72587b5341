"""Topic filters: what they take, and which lie within others."""

import itertools

import pytest

from adapters.mqtt.filters import covers, is_filter, is_topic, matches

FILTERS = ("#", "+", "a", "a/#", "a/+", "+/b", "a/b", "+/#", "a/+/c", "a/b/#", "a/b/c", "+/+/+", "$SYS/#")
TOPICS = ("a", "b", "a/b", "a/c", "a/b/c", "b/b", "a//c", "/", "$SYS/x", "a/b/c/d", "")


@pytest.mark.parametrize(
    ("text", "topic", "expected"),
    [
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/#", "ab", False),
        ("+/+", "/x", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
    ],
)
def test_a_filter_takes_what_the_standard_says(text: str, topic: str, expected: bool) -> None:
    assert matches(text, topic) is expected


@pytest.mark.parametrize(("wide", "narrow"), list(itertools.product(FILTERS, FILTERS)))
def test_who_may_have_a_filter_never_gets_more_by_one_within_it(wide: str, narrow: str) -> None:
    if covers(wide, narrow):
        assert all(matches(wide, topic) for topic in TOPICS if matches(narrow, topic))


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("a/#", "a/#", True),
        ("a/#", "a", True),
        ("a/#", "a/+/c", True),
        ("a/+/+", "a/b/+", True),
        ("a/+/+", "a/#", False),
        ("a/+/+", "a/+/#", False),
        ("a/b", "a/+", False),
        ("a/#", "+/b", False),
        ("a/#", "#", False),
    ],
)
def test_one_filter_lies_within_another(wide: str, narrow: str, expected: bool) -> None:
    assert covers(wide, narrow) is expected


@pytest.mark.parametrize("text", ["", "a/#/b", "a#", "a/b+", "++", "a\0"])
def test_what_is_no_filter_is_told(text: str) -> None:
    assert not is_filter(text)


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b"])
def test_what_is_no_topic_is_told(topic: str) -> None:
    assert not is_topic(topic)
