"""From refused addresses to questions."""

import pytest

from platform_ui.explain.refused import questions_of

SYSTEM = "cz.icecars.Cars.Car1"


@pytest.mark.parametrize(
    ("path", "first", "count"),
    [
        (f"/systems/{SYSTEM}/clients/car_1", ("see system", SYSTEM), 2),
        (f"/api/v1/systems/{SYSTEM}/audit", ("see system", SYSTEM), 2),
        (f"/systems/{SYSTEM}/apps/new", ("see system", SYSTEM), 2),
        (f"/api/v1/systems/{SYSTEM}/apps/warm:deploy", ("see app", f"{SYSTEM}.warm"), 4),
        ("/companies/cz.icecars/members", ("see company", "cz.icecars"), 3),
        ("/api/v1/contracts/c-aaaa:sign", ("see contract", "c-aaaa"), 3),
        ("/contracts/c-aaaa/change", ("see contract", "c-aaaa"), 3),
    ],
)
def test_an_address_is_about_an_object(path: str, first: tuple[str, str], count: int) -> None:
    found = questions_of(path)
    assert found[0] == first
    assert len(found) == count


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/systems",
        "/systems/new",
        "/dashboard",
        "//evil",
        "/systems//x",
        "/systems/a%00b",
        "/systems/" + "a" * 300,
    ],
)
def test_other_addresses_are_about_none(path: str) -> None:
    assert questions_of(path) == ()
