"""Systems for tests of provisioning files: names and units that are not easy."""

from setup.provisioning.registry import Stream, SystemFiles

CAR = "cz.icecars.Fleet.Car1"


def stream(number: int, name: str, unit: str, code: str, system: str = CAR) -> Stream:
    thing = name.rpartition(".")[0]
    return Stream(number, name, thing, system, unit, code, name.rpartition(".")[2])


def car() -> SystemFiles:
    return SystemFiles(
        CAR,
        [
            stream(3, f"{CAR}.Main.Air Temperature", "°C", "Cel"),
            stream(4, f"{CAR}.Main.Speed", "km/h", "km/h"),
            stream(5, f'{CAR}.Main.A "quoted" \\ name', "", ""),
            stream(9, "is.iceland.Weather.Stations.s1.Snow", "snow/min", "", "is.iceland.Weather.Stations"),
        ],
        [f"{CAR}.share", "is.iceland.Weather.Stations.weather"],
    )


def empty() -> SystemFiles:
    return SystemFiles("at.mill.Hall.M1", [], [])
