"""Whether a system receives the records of a Datastream: which contract and app carry them, or the first gap.

What lives here: the decision over a snapshot; pure. What does not: reading the snapshot (``snapshots``), the
terms and statements themselves (``streamhub``, which judges a record here as the engine does).
"""

import json
from dataclasses import dataclass
from typing import Final

from client.errors import ConfigurationError
from client.messaging.topics import DatastreamName
from platform_ui.contracts.models import DRAFT, ENDED, EXPIRED
from platform_ui.contracts.service import is_needed
from platform_ui.contracts.titles import ContractTitle
from platform_ui.contracts.views import ContractView
from platform_ui.db import now
from platform_ui.explain.provenance import signatures
from platform_ui.explain.rulings import Answer, Clause, Ruling, day
from platform_ui.streams.models import CONTRACT
from platform_ui.streams.running import specification_of
from platform_ui.streams.views import AppView
from streamhub.contracts import ContractTerms
from streamhub.errors import QueryError
from streamhub.query import CompiledStatement

_ANY_BROKER: Final = "localhost:9092"  # part of every specification; what a statement lets pass ignores it


@dataclass(frozen=True, slots=True)
class Crossing:
    """What lies between a Datastream and a system.

    Attributes:
        consumer: Full name of the system that would receive.
        datastream: The Datastream.
        contracts: Contracts by which its system gives to the consumer, the newest first.
        apps: Stream apps that read its system and write to the consumer.
        record: One record's value, JSON; empty when the question is about none.
    """

    consumer: str
    datastream: DatastreamName
    contracts: tuple[ContractView, ...] = ()
    apps: tuple[AppView, ...] = ()
    record: str = ""

    @property
    def provider(self) -> str:
        """Full name of the Datastream's system."""
        return str(self.datastream.system)

    def title(self, terms: ContractTerms) -> ContractTitle:
        """Return what the contract is called that has these terms."""
        known = (view.title for view in self.contracts if view.contract.id == terms.id)
        return next(known, ContractTitle(terms.id, terms.provider, self.consumer))

    @property
    def text(self) -> str:
        """The question in words."""
        what = f"the record {self.record} of " if self.record else ""
        return f"{self.consumer} receives {what}{self.datastream}"

    def refused(self, missing: str, step: str = "", address: str = "", because: str = "") -> Ruling:
        """Return a refusal."""
        clauses = (because,) if because else ()
        return Ruling(self.text, Answer.REFUSED, clauses, missing, step, address)


def decide(crossing: Crossing) -> Ruling:
    """Say whether records get there, and by what; or what is missing first on their way."""
    if crossing.consumer == crossing.provider:
        return Ruling(crossing.text, Answer.ALLOWED, ("it is a Datastream of this system itself",))
    contract: ContractView | None = None
    if is_needed(crossing.provider, crossing.consumer):
        contract = next((view for view in crossing.contracts if view.is_active), None)
        if contract is None:
            return _no_contract(crossing)
    rulings = [_by_app(crossing, app) for app in crossing.apps]
    if not rulings:
        because = signatures(contract) if contract is not None else "both systems are of one company"
        return crossing.refused(
            f"a stream app of {crossing.provider} that writes to {crossing.consumer}",
            f"an agent of {crossing.provider} creates one",
            f"/systems/{crossing.provider}/apps/new?target_system={crossing.consumer}",
            because,
        )
    return next((ruling for ruling in rulings if ruling.is_allowed), rulings[0])


def _no_contract(crossing: Crossing) -> Ruling:
    provider, consumer = crossing.provider, crossing.consumer
    for view in crossing.contracts:
        if view.contract.state == ENDED:
            continue
        systems = {"provider": provider, "consumer": consumer}
        waits = " and by ".join(systems[side] for side in view.waits_for)
        state = "is a draft" if view.contract.state == DRAFT else "waits"
        return crossing.refused(
            f"contract {view.title.named} {state}: it is not signed by {waits}",
            f"an agent of {waits.replace(' and by ', ' and one of ')} signs it",
            view.url,
            signatures(view),
        )
    ended = _ended(crossing.contracts[0]) if crossing.contracts else ""
    return crossing.refused(
        f"a contract from {provider} to {consumer}",
        "request one",
        f"/contracts/new?provider={provider}&consumer={consumer}",
        ended,
    )


def _ended(view: ContractView) -> Clause:
    """Tell of a contract that was in force, or asked for, and is no more: how it ended and why."""
    contract = view.contract
    by = f" by {contract.ended_by}" if contract.ended_by else ""
    why = f": {contract.reason}" if contract.reason else ""
    how = f"{contract.outcome or EXPIRED}{by} {day(contract.ended_at)}".rstrip()
    return Clause(f"contract {view.title.named} has ended, {how}{why}", "contract", view.url)


def _by_app(crossing: Crossing, app: AppView) -> Ruling:
    """Decide about one app: it may run, it does, and its terms and statement let the record pass."""
    for lack in app.permission.lacks:
        return crossing.refused(
            f"a contract in force from {lack.provider} to {app.target}, which {app.app.name} needs",
            f"an agent of {app.source} starts the app when there is one",
            app.url,
        )
    if app.app.stopped_by is not None:
        return crossing.refused(f"{app.app.name} is stopped: {_stopped(app)}", "start it", app.url)
    if not app.is_wanted:
        return crossing.refused(f"{app.app.name} is {app.state}", "deploy it", app.url)
    terms = next((one for one in app.permission.terms if one.provider == crossing.provider), None)
    gap = _outside(crossing, terms) if terms is not None else ""
    if gap:
        return crossing.refused(gap, "change the terms", f"/contracts/{terms.id}/change" if terms else "")
    return _judged(crossing, app, terms)


def _stopped(app: AppView) -> str:
    if app.app.stopped_by == CONTRACT:
        return "a contract that it needed ended, and it was not started since"
    return f"an agent of {app.source if app.app.stopped_by == 'source' else app.target} stopped it"


def _outside(crossing: Crossing, terms: ContractTerms) -> str:
    """Say why a Datastream is outside of terms, whatever the record; nothing when it is inside."""
    name = str(crossing.datastream)
    if terms.datastreams and name not in terms.datastreams:
        return f"contract {crossing.title(terms).named} does not name the Datastream {name}"
    window = terms.window
    if window is not None and not window.holds(int(now().timestamp() * 1000)):
        since = terms.starts_at or "its begin"
        return f"contract {crossing.title(terms).named} lets records leave from {since} on only"
    return ""


def _judged(crossing: Crossing, app: AppView, terms: ContractTerms | None) -> Ruling:
    runs = f"{app.app.name} is a stream app of {app.source} that runs: {app.app.statement}"
    carried = [Clause(runs, "app", app.url)]
    if terms is not None:
        view = next((view for view in crossing.contracts if view.contract.id == terms.id), None)
        page = f"/contracts/{terms.id}"
        title = crossing.title(terms)
        named = signatures(view) if view is not None else Clause(f"contract {title.named}", "contract", page)
        carried.insert(0, named)
        if terms.predicate.strip():
            carried.insert(1, Clause(f"it lets records leave where {terms.predicate}", "contract", page))
    if not crossing.record:
        return Ruling(crossing.text, Answer.ALLOWED, tuple(carried))
    try:
        fault = _fault(terms.compile(), crossing) if terms is not None else ""
        if fault and terms is not None:
            missing = f"row predicate refuses: {terms.predicate or terms.id} {fault}"
            return crossing.refused(missing, "change the terms", f"/contracts/{terms.id}/change", carried[0])
        statement = specification_of(app.permission, app.app.statement, _ANY_BROKER).compile()
    except (QueryError, ConfigurationError) as error:
        return crossing.refused(f"a statement that is understood: {error}", "change it", app.url)
    if not isinstance(statement, CompiledStatement):
        carried.append(Clause("it makes new records out of this one, under names of its own", "app", app.url))
        return Ruling(crossing.text, Answer.ALLOWED, tuple(carried))
    fault = _fault(statement, crossing)
    if fault:
        missing = f"the statement refuses: {app.app.statement} {fault}"
        return crossing.refused(missing, "change the statement", app.url)
    return Ruling(crossing.text, Answer.ALLOWED, tuple(carried))


def _fault(compiled: CompiledStatement, crossing: Crossing) -> str:
    """Say why a record does not pass, as the engine finds it; nothing when it does."""
    decision = compiled.filter_batch([str(crossing.datastream).encode()], [crossing.record.encode()])
    if decision.accepted:
        return ""
    if decision.rejected:
        return f"cannot read the record: {decision.rejected[0][2]}"
    lacking = ", which lacks an attribute" if decision.missing else ""
    return f"is false for {crossing.record}{lacking}"


def check_record(text: str) -> str:
    """Return a record's value as the engine reads it.

    Raises:
        ValueError: it is not a JSON object.
    """
    if not text.strip():
        return ""
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError('a record is a JSON object, such as {"result": 7}')  # noqa: TRY004 - of its text
    return text.strip()
