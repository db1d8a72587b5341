"""The navigation of all pages of a system, a company and a stream app, and how lists tell of client apps."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from fastapi import FastAPI

from platform_ui.accounts import service as accounts
from platform_ui.client_logs.reading import Lookback, RememberingReader
from tests.integration.platform_ui.conftest import MakeBrowser
from tests.integration.platform_ui.doubles import Browser
from tests.integration.platform_ui.test_client_pages import MemoryTopicReader

PLACES = {
    "": "Overview",
    "?show=clients": "Client apps",
    "?show=apps": "Stream apps",
    "?show=contracts": "Contracts",
    "?show=rules": "Access rules",
    "/things": "Things",
    "/analytics": "Analytics",
    "/logs": "Client logs",
    "/members": "Members",
    "/audit": "Audit log",
}
COMPANY_PLACES = {"": "Overview", "/members": "Members", "/limits": "Limits", "/audit": "Audit log"}
_LINK = re.compile(r'<a href="([^"]+)"( aria-current="page")?>([^<]+)</a>')


class CountingReader(MemoryTopicReader):
    """Topics in memory, which counts how often they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def last(self, topic: str, most: int, /) -> Lookback:
        self.asked.append(topic)
        return super().last(topic, most)


@pytest.fixture
def reader(site: FastAPI) -> CountingReader:
    found = CountingReader()
    site.state.client_topics = RememberingReader(found)
    return found


@pytest.fixture
async def browser(new_browser: MakeBrowser, word: Callable[[], str]) -> Browser:
    browser = new_browser()
    await browser.sign_up(word())
    return browser


@pytest.fixture
async def company(browser: Browser, word: Callable[[], str]) -> str:
    enterprise = word()
    await browser.add("/companies/new", domain="cz", enterprise=enterprise)
    return f"cz.{enterprise}"


@pytest.fixture
async def system(browser: Browser, company: str) -> str:
    return await new_system(browser, company, "Car1")


async def new_system(browser: Browser, company: str, station: str) -> str:
    await browser.add("/systems/new", company=company, workcenter="Fleet", station=station)
    return f"{company}.Fleet.{station}"


def links_of(page: str, label: str) -> list[tuple[str, bool, str]]:
    """Return the links of a navigation: address, whether it is where one is, and words."""
    found = page.split(f'aria-label="{label}">')
    assert len(found) == 2, f"one navigation called {label}"
    links = _LINK.findall(found[1].split("</nav>")[0])
    return [(unescape(address), bool(here), word) for address, here, word in links]


async def test_every_page_of_a_system_has_the_same_navigation_and_says_where_one_is(
    browser: Browser, system: str
) -> None:
    home = f"/systems/{system}"
    lineage = (f"/lineage?focus={system}", "Lineage")
    expected = [*((f"{home}{ending}", word) for ending, word in PLACES.items()), lineage]
    for ending, place in PLACES.items():
        links = links_of((await browser.get(f"{home}{ending}")).text, "Parts of this system")
        assert [(address, word) for address, _, word in links] == expected, ending
        assert [word for _, is_here, word in links if is_here] == [place], ending
    upload = links_of((await browser.get(f"{home}/instances")).text, "Parts of this system")
    assert [word for _, is_here, word in upload if is_here] == ["Things"]


async def test_a_viewer_is_shown_no_way_to_what_only_agents_may_see(
    browser: Browser, system: str, new_browser: MakeBrowser, word: Callable[[], str]
) -> None:
    viewer = new_browser()
    email = await viewer.sign_up(word())
    await browser.add(f"/systems/{system}/members", email=email, role="viewer")
    home = f"/systems/{system}"
    seen = [one for one in PLACES.values() if one != "Audit log"]
    for ending in PLACES:
        answer = await viewer.get(f"{home}{ending}")
        if ending == "/audit":
            assert answer.status_code == 403
            continue
        assert answer.status_code not in {403, 404}, ending
        words = [word for _, _, word in links_of(answer.text, "Parts of this system")]
        assert words == [*seen, "Lineage"], ending


async def test_every_page_of_a_company_has_the_same_navigation_and_says_where_one_is(
    browser: Browser, company: str
) -> None:
    home = f"/companies/{company}"
    expected = [(f"{home}{ending}", word) for ending, word in COMPANY_PLACES.items()]
    expected.insert(1, (f"{home}#given", "Contracts"))
    for ending, place in COMPANY_PLACES.items():
        page = (await browser.get(f"{home}{ending}")).text
        links = links_of(page, "Parts of this company")
        assert [(address, word) for address, _, word in links] == expected, ending
        assert [word for _, is_here, word in links if is_here] == [place], ending
        assert "Parts of this system" not in page
    assert 'id="given"' in (await browser.get(home)).text


async def test_each_part_of_a_company_is_shown_to_those_for_whom_it_answers(
    browser: Browser, company: str, new_browser: MakeBrowser, word: Callable[[], str], site: FastAPI
) -> None:
    home = f"/companies/{company}"
    shown = {"admin": ["Overview", "Contracts", "Members", "Limits", "Audit log"]}
    shown["member"] = shown["admin"][:-1]
    for role, words in shown.items():
        person = new_browser()
        email = await person.sign_up(word())
        await browser.add(f"{home}/members", email=email, role=role)
        await check_navigation(person, home, words)
    operator = new_browser()
    email = await operator.sign_up(word())
    async with site.state.sessions() as session:
        user = await accounts.registered(session, email)
        await accounts.set_operator(session, user, is_operator=True)
    await check_navigation(operator, home, ["Limits"])
    limits = (await operator.get(f"{home}/limits")).text
    assert re.findall(rf'href="{home}[^"/]*"', limits) == [], "no way to a page that does not answer"


async def check_navigation(person: Browser, home: str, words: list[str]) -> None:
    """Check that pages of a company that answer lead to each other, and others do not answer."""
    for ending, place in COMPANY_PLACES.items():
        answer = await person.get(f"{home}{ending}")
        assert (answer.status_code == 200) is (place in words), ending
        if answer.status_code == 200:
            assert [link[2] for link in links_of(answer.text, "Parts of this company")] == words


async def test_the_log_and_the_versions_of_a_stream_app_lead_to_its_other_pages(
    browser: Browser, company: str, system: str
) -> None:
    target = await new_system(browser, company, "Car2")
    fields = {"name": "share", "target_system": target, "statement": "SELECT * FROM *;"}
    await browser.add(f"/systems/{system}/apps/new", **fields)
    home = f"/systems/{system}/apps/share"
    for ending, place in {"": "Overview", "/log": "Log", "/versions": "Versions"}.items():
        links = links_of((await browser.get(f"{home}{ending}")).text, "Parts of the stream app")
        assert [address for address, _, _ in links] == [home, f"{home}/log", f"{home}/versions"], ending
        assert [word for _, is_here, word in links if is_here] == [place]


async def test_a_list_of_client_apps_tells_how_they_stand_by_one_look_at_their_system(
    browser: Browser, system: str, reader: CountingReader
) -> None:
    def hear(name: str, ago: timedelta = timedelta()) -> None:
        at = datetime.now(UTC) - ago
        state = {"time": at.isoformat(), "client": name, "type": "state", "state": "started"}
        reader.add(f"{system}.log", name, state, at)

    hear("car_2", timedelta(hours=2))
    for name in ("car_1", "car_2", "car_3", "car_4"):
        await browser.add(f"/systems/{system}/clients/new", name=name)
    await browser.post(f"/systems/{system}/clients/car_4/credentials/block", f"/systems/{system}")
    for page in ("/clients", f"/systems/{system}?show=clients", f"/systems/{system}"):
        reader.asked.clear()
        hear("car_1")
        shown = (await browser.get(page)).text
        assert reader.asked == [], "the page itself waits for no broker"
        (address,) = re.findall(r'hx-get="([^"]+show=standings[^"]+)"', shown)
        answer = await browser.get(unescape(address), **{"hx-request": "true"})
        assert len(reader.asked) <= 1
        told = dict(
            re.findall(r'id="standing-([^"]+)" hx-swap-oob="true"><span class="state ([^"]+)', answer.text)
        )
        assert told == {
            f"{system}.car_1": "standing-connected",
            f"{system}.car_2": "standing-silent",
            f"{system}.car_3": "standing-never-heard",
            f"{system}.car_4": "state-blocked",
        }
        assert all(f'id="standing-{name}"' in shown for name in told), "each has its place on the page"
        assert answer.text.count("<time ") == 2, "when it was heard, of those that were"


async def test_how_client_apps_stand_is_for_those_who_see_their_system(
    system: str, reader: CountingReader, new_browser: MakeBrowser, word: Callable[[], str]
) -> None:
    stranger = new_browser()
    await stranger.sign_up(word())
    asked = f"/systems/{system}?show=standings&client=car_1"
    assert (await stranger.get(asked, **{"hx-request": "true"})).status_code == 404
    assert reader.asked == []


async def test_names_that_no_client_app_can_have_are_left_out(
    browser: Browser, system: str, reader: CountingReader
) -> None:
    asked = f"/systems/{system}?show=standings&client=%3Cb%3E&client=car_1%0A&client=car_1&client=car_1"
    answer = await browser.get(asked, **{"hx-request": "true"})
    assert answer.status_code == 200
    assert re.findall(r'id="([^"]+)"', answer.text) == [f"standing-{system}.car_1"]


async def test_a_list_over_very_many_systems_reads_the_log_of_none(
    browser: Browser, company: str, reader: CountingReader
) -> None:
    for number in range(11):
        name = await new_system(browser, company, f"S{number}")
        await browser.add(f"/systems/{name}/clients/new", name="car_1")
    whole = (await browser.get("/clients")).text
    assert "show=standings" not in whole
    assert "search for one" in whole
    few = (await browser.get("/clients?q=S1")).text
    assert few.count("show=standings") == 2, "of S1 and S10"
