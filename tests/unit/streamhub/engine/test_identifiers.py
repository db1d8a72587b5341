"""Ids of a batch are UUIDs of version 7 that ascend, whatever the size of the batch."""

import uuid

import pytest

from streamhub.engine.identifiers import new_ids


@pytest.mark.parametrize("count", [0, 1, 4095, 4096, 20_000])
def test_ids_are_uuids_of_version_7_that_ascend(count: int) -> None:
    ids = new_ids(count)
    assert len(set(ids)) == count
    assert ids == sorted(ids)
    for text in ids[:: max(count // 100, 1)]:
        read = uuid.UUID(text)
        assert str(read) == text
        assert read.version == 7
        assert read.variant == uuid.RFC_4122


def test_batches_do_not_share_ids() -> None:
    assert set(new_ids(5_000)).isdisjoint(new_ids(5_000))
