"""Small worlds for tests of lineage."""

from datetime import UTC, datetime, timedelta

from platform_ui.flows.figures import AppRate, FlowSnapshot
from platform_ui.flows.graph import SystemFact
from platform_ui.lineage.world.facts import AppFact, ContractFact, Facts, Use
from platform_ui.systems.records import TopicRecord

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=40)
CAR, HOME, LAB = "cz.cars.Fleet.Car1", "cz.cars.Fleet.Home", "at.lab.Hall.Lab"
SPEED, SECRET = f"{CAR}.Motor.Speed", f"{CAR}.Motor.Secret"
CONTRACT = ContractFact("c-1", CAR, LAB, datastreams=(SPEED,), is_whole=True, since=LONG_AGO)
SHARE = AppFact("share", (CAR,), LAB, f"SELECT * FROM * WHERE name = '{SPEED}';", 2, {CAR: Use("c-1", True)})
INSIDE = AppFact("inside", (CAR,), HOME, "SELECT result * 2 AS twice UNIT 'm' FROM * WHERE quality > 1;")


def facts(
    *apps: AppFact, contracts: tuple[ContractFact, ...] = (CONTRACT,), seen: tuple[str, ...] = (CAR, HOME)
) -> Facts:
    return Facts([SystemFact(name) for name in seen], apps, contracts)


def snapshot(**apps: AppRate) -> FlowSnapshot:
    return FlowSnapshot(NOON, apps={f"{CAR}.{name}": rate for name, rate in apps.items()})


def record(key: str, at: datetime = NOON, **headers: str) -> TopicRecord:
    named = tuple((f"dt-{name}", value.encode()) for name, value in headers.items())
    return TopicRecord(f"{LAB}.ext", 0, 7, int(at.timestamp() * 1000), key.encode(), b"{}", named)
