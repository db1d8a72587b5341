"""What `dtwin status` says of stream apps while nothing runs."""

from pathlib import Path

from setup.local.paths import Home
from setup.status import collect_status
from streamhub.runner import RunnerDirectory
from streamhub.specification import StreamAppSpecification


def test_an_app_that_waits_for_a_stack_that_is_down_is_stopped_and_not_in_trouble(tmp_path: Path) -> None:
    home = Home(tmp_path)
    RunnerDirectory(home.runner).deploy(
        StreamAppSpecification(
            name="app",
            source_system="aa.bb.cc.dd",
            target_system="ee.ff.gg.hh",
            statement="SELECT * FROM *;",
            bootstrap_servers="127.0.0.1:9092",
        )
    )
    row = collect_status(home)[-1]
    assert (row.part, row.state, row.detail) == ("stream app app", "stopped", "starts with the runner")
