"""What two statements differ in: word by word, and nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st

from platform_ui.streams.detail.comparing import Piece, compare


def test_one_changed_number_is_one_word_out_and_one_in() -> None:
    assert compare("SELECT * FROM * WHERE result < 4;", "SELECT * FROM * WHERE result < 15;") == [
        Piece("same", "SELECT * FROM * WHERE result < "),
        Piece("removed", "4"),
        Piece("added", "15"),
        Piece("same", ";"),
    ]


def test_a_name_with_dots_and_hyphens_changes_as_a_whole() -> None:
    pieces = compare("FROM cz.icecars.iot4cps-wp5.Car1", "FROM cz.icecars.iot4cps-wp5.Car2")
    assert [piece.text for piece in pieces if piece.kind == "removed"] == ["cz.icecars.iot4cps-wp5.Car1"]


def test_equal_statements_are_one_piece_and_empty_ones_none() -> None:
    assert compare("a b", "a b") == [Piece("same", "a b")]
    assert compare("", "") == []


@given(st.text(), st.text())
def test_both_texts_can_be_read_from_the_pieces(older: str, newer: str) -> None:
    pieces = compare(older, newer)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == older
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == newer
