"""Whatever a page can change, the API can change too, or it is said why not."""

from platform_ui.documents.openapi import describe, operations
from tests.house.api_description import new_app
from tests.house.page_actions import ACTIONS, Only
from tests.integration.platform_ui.route_table import served_routes


def test_every_action_of_a_page_has_an_operation_of_the_api() -> None:
    app = new_app()
    actions = {
        route.path
        for route in served_routes(app)
        if route.method not in {"GET", "HEAD"} and not route.path.startswith("/api/")
    }
    assert actions - set(ACTIONS) == set(), (
        "page actions without an operation: see tests/house/page_actions.py"
    )
    assert set(ACTIONS) - actions == set(), "lines about page actions that are gone"
    known = {operation["operationId"] for _, _, operation in operations(describe(app))}
    named = {one for one in ACTIONS.values() if isinstance(one, str)}
    assert named - known == set()
    assert all(one.reason for one in ACTIONS.values() if isinstance(one, Only))
