"""What belongs on the map of flows, and at which grain."""

from platform_ui.flows.figures import AppRate, FlowSnapshot, TopicRate
from platform_ui.flows.graph import (
    MAX_BOXES,
    AppFact,
    Facts,
    FlowGraph,
    Grain,
    Scope,
    ShareFact,
    SystemFact,
    draw,
)

CAR, ROAD, RAIN = "cz.icecars.Fleet.Car1", "is.iceland.Traffic.Road", "is.iceland.Weather.Rain"
APP = AppFact("warn", (CAR,), ROAD)
RUNNING = AppRate("running", consumed_per_s=12.0, forwarded_per_s=3.0)


def many(number: int, *, workcenters: int = 1, companies: int = 1) -> list[SystemFact]:
    return [
        SystemFact(f"at.c{index % companies}x.W{index % workcenters:02}.S{index:04}")
        for index in range(number)
    ]


def edges(graph: FlowGraph) -> dict[tuple[str, str], float | None]:
    return {(edge.start, edge.end): edge.rate_per_s for edge in graph.edges}


def test_an_app_stands_between_its_systems_with_its_rates() -> None:
    facts = Facts([SystemFact(CAR), SystemFact(ROAD)], [APP])
    graph = draw(facts, FlowSnapshot(apps={APP.app_id: RUNNING}), Scope())
    assert edges(graph) == {(CAR, APP.app_id): 12.0, (APP.app_id, ROAD): 3.0}
    assert {node.id: node.kind for node in graph.nodes} == {CAR: "system", APP.app_id: "app", ROAD: "system"}
    assert {node.id: node.received_per_s for node in graph.nodes}[ROAD] == 3.0


def test_of_a_system_that_is_not_seen_there_is_only_the_name() -> None:
    snapshot = FlowSnapshot(topics={f"{CAR}.int": TopicRate(99.0)}, apps={APP.app_id: RUNNING})
    graph = draw(Facts([SystemFact(ROAD)], [APP]), snapshot, Scope())
    foreign = next(node for node in graph.nodes if node.id == CAR)
    assert foreign.is_foreign
    assert (foreign.url, foreign.own_per_s, foreign.received_per_s) == ("", None, None)
    assert edges(graph)[CAR, APP.app_id] is None  # how much the other company makes is its own affair
    assert graph.lanes == ["is.iceland", "cz.icecars"]


def test_an_app_that_was_never_deployed_moves_nothing() -> None:
    graph = draw(Facts([SystemFact(CAR), SystemFact(ROAD)], [APP]), FlowSnapshot(), Scope())
    assert {edge.state for edge in graph.edges} == {"still"}
    assert {edge.rate_per_s for edge in graph.edges} == {0.0}


def test_lines_of_an_app_that_fails_say_so() -> None:
    snapshot = FlowSnapshot(apps={APP.app_id: AppRate("backing_off")})
    graph = draw(Facts([SystemFact(CAR)], [APP]), snapshot, Scope())
    assert {edge.state for edge in graph.edges} == {"failed"}


def test_what_an_app_reads_of_two_systems_is_no_figure_of_one_of_them() -> None:
    both = AppFact("join", (CAR, RAIN), ROAD)
    facts = Facts([SystemFact(CAR), SystemFact(RAIN), SystemFact(ROAD)], [both])
    graph = draw(facts, FlowSnapshot(apps={both.app_id: RUNNING}), Scope())
    assert edges(graph) == {(CAR, both.app_id): None, (RAIN, both.app_id): None, (both.app_id, ROAD): 3.0}


def test_a_contract_of_which_nobody_makes_use_is_a_line_of_its_own() -> None:
    facts = Facts([SystemFact(CAR)], [], [ShareFact("c-1", CAR, ROAD, "Warn of ice")])
    (edge,) = draw(facts, FlowSnapshot(), Scope()).edges
    assert (edge.kind, edge.url) == ("share", "/contracts/c-1")
    assert edge.title.endswith(": Warn of ice")


def test_a_contract_that_an_app_uses_is_no_line_of_its_own() -> None:
    facts = Facts([SystemFact(CAR)], [APP], [ShareFact("c-1", CAR, ROAD)])
    assert {edge.kind for edge in draw(facts, FlowSnapshot(), Scope()).edges} == {"flow"}


def test_a_part_shows_its_systems_and_those_that_they_exchange_records_with() -> None:
    facts = Facts([SystemFact(CAR), SystemFact(ROAD), SystemFact(RAIN)], [APP])
    graph = draw(facts, FlowSnapshot(), Scope("cz.icecars"))
    assert {node.id for node in graph.nodes} == {CAR, APP.app_id, ROAD}
    assert graph.systems == 1
    assert {node.id for node in draw(facts, FlowSnapshot(), Scope("is.iceland", "Weather")).nodes} == {RAIN}


def test_many_systems_are_gathered_by_workcenter() -> None:
    facts = Facts(many(400, workcenters=20))
    graph = draw(facts, FlowSnapshot(), Scope())
    assert graph.grain is Grain.WORKCENTER
    assert len(graph.nodes) == 20
    assert graph.nodes[0].url == "/dashboard?company=at.c0x&workcenter=W00"
    assert graph.nodes[0].detail == "20 systems"


def test_many_workcenters_are_gathered_by_company() -> None:
    facts = Facts(many(1000, workcenters=60, companies=7))
    graph = draw(facts, FlowSnapshot(), Scope())
    assert graph.grain is Grain.COMPANY
    assert {node.url for node in graph.nodes} == {f"/dashboard?company=at.c{number}x" for number in range(7)}


def test_apps_of_gathered_systems_stand_on_the_lines_between() -> None:
    systems = many(100, workcenters=2)
    apps = [AppFact(f"a{index}", (systems[index].name,), systems[index + 1].name) for index in range(99)]
    rates = {app.app_id: RUNNING for app in apps}
    graph = draw(Facts(systems, apps), FlowSnapshot(apps=rates), Scope())
    assert {(edge.start[-3:], edge.end[-3:], edge.apps) for edge in graph.edges} == {
        ("W00", "W01", 50),
        ("W01", "W00", 49),
    }
    assert {edge.rate_per_s for edge in graph.edges} == {150.0, 147.0}


def test_of_too_many_systems_in_one_place_the_busiest_and_those_in_trouble_are_shown() -> None:
    systems = many(1000)
    broken = AppFact("broken", (systems[7].name,), systems[8].name)
    snapshot = FlowSnapshot(
        topics={f"{systems[500].name}.int": TopicRate(5.0)}, apps={broken.app_id: AppRate("failed")}
    )
    graph = draw(Facts(systems, [broken]), snapshot, Scope("at.c0x", "W00"))
    shown = {node.id for node in graph.nodes if node.kind == "system"}
    assert len(shown) == MAX_BOXES
    assert {systems[7].name, systems[8].name, systems[500].name} <= shown
    assert graph.hidden == 1000 - MAX_BOXES


def test_own_companies_stand_above_others() -> None:
    facts = Facts([SystemFact(ROAD)], [APP])
    assert draw(facts, FlowSnapshot(), Scope()).lanes[0] == "is.iceland"
