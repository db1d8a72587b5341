from pathlib import Path

import pytest

from setup.remote.code.documents import DEFAULTS, Document, schema, text_of
from setup.remote.code.planning import Action, make_plan
from setup.remote.code.platform import Found
from setup.remote.code.reading import read_documents
from setup.remote.errors import UsageError

HEAD = "apiVersion: dtwin/v1\nkind: {kind}\n"


def contract(purpose: str = "Ice", **more: object) -> Document:
    terms = {"provider": "a.b.c.d", "consumer": "e.f.g.h", "purpose": purpose}
    return Document.of("Contract", terms | more)


def found(document: Document, **answer: object) -> Found:
    return Found(document, answer)


def test_the_schema_names_the_members_of_every_kind() -> None:
    for kind, members in DEFAULTS.items():
        said = schema()["$defs"][kind]["properties"]
        assert list(said)[2:] == list(members) or set(said) == {"apiVersion", "kind", *members}
        assert said["kind"] == {"const": kind}


def test_documents_are_read_as_they_were_written(tmp_path: Path) -> None:
    documents = [
        Document.of("Company", {"name": "cz.icecars", "description": "a: b # c\nsecond line"}),
        Document.of("Members", {"of": "cz.icecars", "members": {"b@x.org": "owner", "a@x.org": "admin"}}),
        contract(starts_at="2026-01-31T12:00:00Z", fields=["b", "a"]),
    ]
    file = tmp_path / "twin.yaml"
    file.write_text(text_of(reversed(documents)))
    read = read_documents([file])
    assert read == documents
    assert text_of(read) == file.read_text()


def test_the_same_content_in_other_words_is_the_same_document() -> None:
    one = contract(starts_at="2026-01-31T13:00:00+01:00", fields=["b", "a", "b"], predicate=" result < 4\n")
    two = contract(starts_at="2026-01-31T12:00:00Z", fields=["a", "b"], predicate="result < 4")
    assert one == two


def test_every_fault_is_told_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        HEAD.format(kind="System") + "name: too.short\nsize: 7\n---\n" + HEAD.format(kind="Nonsense")
    )
    with pytest.raises(UsageError) as caught:
        read_documents([tmp_path])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert any(line.startswith(f"{file}:3: name:") for line in lines)
    assert any("size" in line for line in lines)
    assert lines[-1].startswith(f"{file}:6: kind must be one of Company")


def test_two_documents_of_one_object_are_refused(tmp_path: Path) -> None:
    text = HEAD.format(kind="Company") + "name: cz.icecars\n"
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"b\.yaml:1: Company cz\.icecars is at .*a\.yaml:1 already"):
        read_documents([tmp_path])


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ("name: Car1", ":3: name: Car1 has not the form domain.enterprise.workcenter.station."),
        ("name: a.b.c.d\ncolour: red", ":4: System: colour is no member of it."),
        ("description: red", ":1: System: name is missing."),
    ],
)
def test_a_fault_is_told_in_words_of_people(tmp_path: Path, member: str, said: str) -> None:
    file = tmp_path / "twin.yaml"
    file.write_text(f"apiVersion: dtwin/v1\nkind: System\n{member}\n")
    with pytest.raises(UsageError) as caught:
        read_documents([file])
    assert str(caught.value) == f"{file}{said}"


def test_a_file_that_is_not_there_is_told_as_the_system_says_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read: No such file or directory\.$"):
        read_documents([tmp_path / "none.yaml"])


def test_what_is_no_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("a: 1\nb: [\n")
    with pytest.raises(UsageError, match=r"broken\.yaml:\d: this is no YAML"):
        read_documents([file])


def test_steps_come_in_the_order_in_which_they_can_be_done() -> None:
    given = [
        Document.of("StreamApp", {"system": "a.b.c.d", "name": "x", "target": "e.f.g.h", "statement": "s"}),
        contract(),
        Document.of("System", {"name": "a.b.c.d"}),
        Document.of("Company", {"name": "a.b"}),
    ]
    assert [step.document.kind for step in make_plan(given, []).steps] == [
        "Company",
        "System",
        "Contract",
        "StreamApp",
    ]


def test_what_is_as_wanted_makes_no_step() -> None:
    system = Document.of("System", {"name": "a.b.c.d", "description": "x"})
    assert make_plan([system], [found(system)]).steps == []


def test_the_only_contract_of_two_systems_may_get_another_purpose() -> None:
    (step,) = make_plan([contract("Snow")], [found(contract("Ice"), to_sign=[])]).steps
    assert (step.action, list(step.changes)) == (Action.CHANGE, [("purpose", "Ice", "Snow")])


def test_of_several_contracts_the_purpose_tells_which() -> None:
    there = [found(contract("Ice")), found(contract("Snow"))]
    (step,) = make_plan([contract("Ice"), contract("Wind")], there).steps
    assert (step.action, step.document.body["purpose"]) == (Action.CREATE, "Wind")


def test_a_signature_of_the_other_side_is_waited_for_and_no_step() -> None:
    wanted = contract(signed_by=["provider", "consumer"])
    plan = make_plan([wanted], [found(contract(signed_by=["consumer"]), to_sign=[])])
    assert plan.steps == []
    assert "waits for the signature of the provider (a.b.c.d)" in plan.notes[0]
    (step,) = make_plan([wanted], [found(contract(signed_by=["consumer"]), to_sign=["provider"])]).steps
    assert step.action is Action.CHANGE


def test_only_pruning_deletes_and_only_within_what_is_named() -> None:
    system = Document.of("System", {"name": "a.b.c.d"})
    inside = Document.of("Client", {"system": "a.b.c.d", "name": "x"})
    outside = Document.of("Client", {"system": "a.b.c.other", "name": "y"})
    there = [found(one) for one in (system, inside, outside)]
    assert make_plan([system], there).steps == []
    (step,) = make_plan([system], there, prune=True).steps
    assert (step.action, step.document) == (Action.DELETE, inside)


def test_pruning_never_takes_the_person_out_who_does_it() -> None:
    there = Document.of("Members", {"of": "a.b", "members": {"me@x.org": "owner", "you@x.org": "admin"}})
    wanted = Document.of("Members", {"of": "a.b", "members": {}})
    assert make_plan([wanted], [found(there)]).steps == []
    (step,) = make_plan([wanted], [found(there)], prune=True, me="me@x.org").steps
    assert list(step.changes) == [("you@x.org", "admin", None)]


def test_who_is_invited_already_is_not_invited_again() -> None:
    wanted = Document.of("Members", {"of": "a.b", "members": {"new@x.org": "admin"}})
    there = Document.of("Members", {"of": "a.b", "members": {}})
    assert make_plan([wanted], [found(there, invited={"new@x.org": "admin"})]).steps == []


def test_the_target_of_an_app_cannot_be_changed() -> None:
    def app(target: str) -> Document:
        given = {"system": "a.b.c.d", "name": "x", "target": target, "statement": "s"}
        return Document.of("StreamApp", given)

    (step,) = make_plan([app("e.f.g.h")], [found(app("e.f.g.i"))]).steps
    assert step.blocked == "target cannot be changed: delete it first"
