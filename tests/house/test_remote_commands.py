"""The command line knows every operation of the API, and works without the rest of the house."""

import json
import subprocess
import sys

from setup.remote import nouns
from setup.remote.operations import FILE as KNOWN
from setup.remote.operations import operations
from setup.remote.verbs import ELSEWHERE, LEFT_OUT, VERBS
from tests.house.api_description import FILE
from tests.house.documents import ROOT
from tests.house.remote_operations import text


def test_the_operations_that_the_command_line_knows_are_those_of_the_description() -> None:
    assert KNOWN.read_text(encoding="utf-8") == text(), "write it: python -m tests.house.remote_operations"


def test_every_operation_has_a_command_or_a_reason_for_having_none() -> None:
    document = json.loads(FILE.read_text(encoding="utf-8"))
    described = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    by_verb = {verb.operation for verb in VERBS}
    assert described - by_verb - set(ELSEWHERE) - set(LEFT_OUT) == set(), "add rows to setup/remote/verbs.py"
    assert (by_verb | set(ELSEWHERE) | set(LEFT_OUT)) - described == set()
    assert not set(LEFT_OUT) & (by_verb | set(ELSEWHERE))
    assert all(LEFT_OUT.values())
    assert set(ELSEWHERE.values()) <= set(nouns.words())


def test_what_a_command_shows_is_in_the_answer() -> None:
    for verb in VERBS:
        operation = operations()[verb.operation]
        if operation.members and not verb.rows:
            shown = {name.partition(".")[0] for name in f"{verb.columns} {verb.key} {verb.pending}".split()}
            assert shown <= set(operation.members), verb.words
        assert set(verb.places.split()) <= {one.name for one in (*operation.body, *operation.query)}, (
            verb.words
        )


def test_what_cannot_be_undone_is_asked_first() -> None:
    for verb in VERBS:
        ends = (
            operations()[verb.operation].method == "DELETE" or ":revoke" in operations()[verb.operation].path
        )
        undone = verb.words.endswith((" unblock", " withdraw"))
        assert bool(verb.asks) or not ends or undone, verb.words


def test_no_two_commands_are_typed_alike() -> None:
    typed = [*(verb.words for verb in VERBS), *nouns.BY_HAND]
    assert sorted(typed) == nouns.words()


def test_the_commands_need_no_room_above_the_client_but_their_own() -> None:
    script = (
        "import sys\n"
        "from setup.remote import nouns\n"
        "for noun in {words.split()[0] for words in nouns.words()}: nouns.load(noun)\n"
        "rooms = ('platform_ui', 'streamhub', 'sensorthings', 'adapters', 'sqlalchemy', 'psutil')\n"
        "found = [name for name in rooms if name in sys.modules]\n"
        "assert not found, found"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
