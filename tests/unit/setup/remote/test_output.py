"""What commands against a platform show of an answer."""

import json

import pytest

from setup.remote.output import Output, OutputForm


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (19.06378378378378, "19.063784"),
        (0.0166666666666667, "0.0166667"),
        (0.0, "0"),
        (1234567890.5, "1234567890.5"),
        (True, "yes"),
        (["declared", "observed"], "declared, observed"),
        ([{"text": "is agent", "kind": "role"}, {"text": "has a contract"}], "is agent; has a contract"),
        ([{"name": "a"}], '[{"name": "a"}]'),
    ],
)
def test_a_table_shows_values_as_people_read_them(
    value: object, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Output().show({"it": value}, ["it"], [])
    assert capsys.readouterr().out == f"it  {shown}\n"


def test_other_forms_keep_figures_as_they_came(capsys: pytest.CaptureFixture[str]) -> None:
    Output(OutputForm.JSON).show({"it": 19.06378378378378}, ["it"], [])
    assert json.loads(capsys.readouterr().out) == {"it": 19.06378378378378}
