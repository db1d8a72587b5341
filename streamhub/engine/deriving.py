"""Work that makes new records: computed columns of one source, and joins of several.

What lives here: the way of a record from the batch through its join to the target. What does not: the join
(`streamhub.join`), the columns (`streamhub.query`), what is remembered between batches (`memory`), the order
of several partitions (`alignment`).

Headers: a new record gets an id of its own (`dt-id`), `dt-app` and `dt-contract`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import methodcaller
from typing import Any, Final, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from client.messaging.records import HEADER_ID, partition_for
from client.metadata.times import format_time
from streamhub.engine.alignment import Alignment
from streamhub.engine.counters import RecordCounts
from streamhub.engine.dead_letters import DeadLetters
from streamhub.engine.derivation import Derivation, Route, admitting_reader
from streamhub.engine.identifiers import new_ids
from streamhub.engine.memory import JoinMemory, Series
from streamhub.engine.records import Headers, Record, added_headers, send_all
from streamhub.engine.settings import LaneSettings
from streamhub.engine.state_topic import StateTopic
from streamhub.engine.topics import Memory, TopicFacts
from streamhub.engine.windows import Windows
from streamhub.engine.work import Batch, Partition, Place, Work
from streamhub.errors import StreamAppError
from streamhub.query import READING_ERRORS, reason_for

CODE_KEY_NOT_UTF8: Final = "record.key_not_utf8"
# A key costs a few hundred bytes here; an app sees few Datastreams, an attacker may send many keys.
_MOST_KEYS: Final = 50_000
_MOST_HELD: Final = 50_000

_read_key: Final = methodcaller("key")
_read_value: Final = methodcaller("value")
_Reader = Callable[[bytes | None], Any]
# Arguments of `Producer.produce`: topic, value, key, partition, two callbacks, timestamp, headers.
_Call = tuple[str, str, bytes, int, None, None, int, Headers]
# How to read a value (None: it may not go in), what takes the record, and the series that takes it (None: it
# is found by the record).
_Path = tuple[_Reader, Callable[[int, Any], bool], Series | None]


@dataclass(slots=True)
class Output:
    """Where the records of one output Datastream go.

    Attributes:
        key: Its full name.
        partition: Partition of its Thing.
        tail: End of each value: the reference to the Datastream, when it is registered.
    """

    key: bytes
    partition: int
    tail: str


@dataclass(slots=True)
class Derived:
    """What became of a batch.

    Attributes:
        calls: For each output record, the arguments for the producer.
        refused: Records that cannot be used, with code and detail.
        counts: Numbers of this batch.
    """

    calls: list[_Call] = field(default_factory=list)
    refused: list[tuple[Message, str, str]] = field(default_factory=list)
    counts: RecordCounts = field(default_factory=RecordCounts)


class _Outputs(dict[tuple[int, str | None], Output]):
    """Output Datastreams by column and Thing, made when first asked for."""

    def __init__(self, settings: LaneSettings, derivation: Derivation, target_partitions: int) -> None:
        super().__init__()
        self._specification = settings.specification
        self._columns = derivation.columns
        self._partitions = target_partitions

    def __missing__(self, place: tuple[int, str | None]) -> Output:
        column, thing = place
        app = self._specification
        name = f"{app.target_system}.{thing or app.name}.{self._columns[column].name}"
        known = app.datastreams.get(name)
        identifier = f"{known}" if isinstance(known, int) else f'"{known}"'
        tail = "}" if known is None else f',"Datastream":{{"@iot.id":{identifier}}}}}'
        if len(self) >= _MOST_KEYS:
            self.clear()
        output = self[place] = Output(name.encode(), partition_for(name, self._partitions), tail)
        return output


class DerivingWork(Work):
    """Feeds records to the joins of their keys and sends what comes out; remembers with every commit."""

    def __init__(
        self, settings: LaneSettings, derivation: Derivation, *, producer: Producer, topics: TopicFacts
    ) -> None:
        """Prepare for one producer.

        Args:
            settings: How the copy runs.
            derivation: The compiled statement.
            producer: Whose transaction carries outputs, dead letters and memory.
            topics: What is known of the topics.
        """
        self._derivation = derivation
        self._producer = producer
        self._target = settings.specification.target_topic
        app = settings.specification
        self._letters = DeadLetters(producer, app, topics.max_dead_letter_bytes, app.contracts_by_topic)
        self._added: Headers = added_headers(app.app_id, app.contract_header)
        self._windows = Windows(app)
        self._outputs = _Outputs(settings, derivation, topics.target_partitions)
        self._tuples: list[tuple[Any, ...]] = []
        self._sources = topics.sources
        self._keeps_state = topics.memory is not Memory.NONE
        self._by_partition = topics.memory is Memory.BY_PARTITION
        self._memory = JoinMemory(derivation, StateTopic(settings, producer), self._tuples.append)
        many = topics.one_owner and sum(topics.sources.values()) > 1
        self._alignment = Alignment(derivation.lateness, _MOST_HELD) if many or derivation.lateness else None
        self._paths: dict[Partition, dict[bytes | None, tuple[_Path, ...]]] = {}
        # Reading the ends of partitions costs a call each.
        self.needs_ends = self._alignment is not None

    @property
    def is_waiting(self) -> bool:  # type: ignore[override]
        """Whether records are held back."""
        return self._alignment is not None and self._alignment.is_waiting

    @property
    def crowded(self) -> frozenset[Partition]:  # type: ignore[override]
        """Partitions of which too much is held back."""
        return frozenset() if self._alignment is None else self._alignment.crowded

    def decide(self, batch: Batch) -> Derived | None:
        """Feed a batch to the joins and compute what comes out."""
        derived = Derived()
        for partition, arrived in _by_partition(batch):
            messages = self._windows.inside(partition[0], arrived)
            if self._alignment is None:
                self._feed(partition, messages, derived)
            else:
                self._hold_back(partition, messages, derived)
        is_released = self._alignment is not None and self._release(batch, derived)
        if not batch.messages and not is_released:
            return None
        counts = derived.counts
        counts.tuples += len(self._tuples)
        if self._tuples:
            self._derive(derived)
        take_failed = getattr(self._derivation, "take_failed", None)
        counts.failed += 0 if take_failed is None else take_failed()
        missing, mismatches = self._derivation.take_counts()
        counts.missing += missing
        counts.mismatches += mismatches
        return derived

    def _derive(self, derived: Derived) -> None:
        """Compute what comes out of the groups that were found, and prepare the calls of the producer."""
        results: list[tuple[Output, str]] = []
        self._derivation.derive(self._tuples, format_time(datetime.now(UTC)), self._outputs, results)
        self._tuples.clear()
        target, added = self._target, self._added
        derived.calls += [
            (target, value, output.key, output.partition, None, None, 0, [(HEADER_ID, identifier), *added])
            for (output, value), identifier in zip(results, new_ids(len(results)), strict=True)
        ]

    # A record into its join.

    def _feed(self, partition: Partition, messages: Sequence[Message], derived: Derived) -> None:
        paths = self._paths_in(partition)
        find = paths.get
        keys = list(map(_read_key, messages))
        joined = late = 0
        for message, key, value in zip(messages, keys, map(_read_value, messages), strict=True):
            found = find(key)
            if found is None:
                found = self._paths_of(partition, message, key, derived)
            for read, add, _ in found:
                try:
                    record = read(value)
                except READING_ERRORS as error:
                    derived.refused.append((message, *reason_for(value, error)))
                    break
                if record is None:
                    continue
                joined += 1
                if not add(record.time, record):
                    late += 1
        if self._keeps_state:
            self._touch(paths, keys)
        derived.counts.joined += joined
        derived.counts.late += late

    def _touch(self, paths: Mapping[bytes | None, tuple[_Path, ...]], keys: Sequence[bytes | None]) -> None:
        touched = self._memory.touched
        for key in set(keys):
            for _, _, series in paths.get(key, ()):
                if series is not None:
                    touched.add(series)

    def _hold_back(self, partition: Partition, messages: Sequence[Message], derived: Derived) -> None:
        alignment = self._alignment
        if alignment is None:
            return
        paths = self._paths_in(partition)
        for message in messages:
            key = message.key()
            found = paths.get(key)
            if found is None:
                found = self._paths_of(partition, message, key, derived)
            if not found:
                continue
            value, offset = message.value(), message.offset() or 0
            for path in found:
                try:
                    record = path[0](value)
                except READING_ERRORS as error:
                    derived.refused.append((message, *reason_for(value, error)))
                    break
                if record is None:
                    continue
                alignment.add(partition, offset, record.time, (path, record))

    def _release(self, batch: Batch, derived: Derived) -> bool:
        alignment = self._alignment
        if alignment is None:
            return False
        released = alignment.release(alignment.partitions if batch.is_idle else batch.ended)
        touched = self._memory.touched
        late = 0
        for _, moment, _, (path, record), _ in released:
            _, add, series = path
            if not add(moment, record):
                late += 1
            if series is not None:
                touched.add(series)
        derived.counts.joined += len(released)
        derived.counts.late += late
        return bool(released)

    def _paths_in(self, partition: Partition) -> dict[bytes | None, tuple[_Path, ...]]:
        """Give the paths by key of a partition; forgotten between batches only, for a batch asks again."""
        paths = self._paths.setdefault(partition, {})
        if len(paths) >= _MOST_KEYS:
            paths.clear()
        return paths

    def _paths_of(
        self, partition: Partition, message: Message, key: bytes | None, derived: Derived
    ) -> tuple[_Path, ...]:
        """Work out where the records of a key go, and keep it in mind."""
        topic, number = partition
        try:
            routes = self._derivation.routes(topic.rpartition(".")[0], key)
        except UnicodeDecodeError:
            detail = "the key is not UTF-8, so it is no Datastream name"
            derived.refused.append((message, CODE_KEY_NOT_UTF8, detail))
            return ()
        place = number if self._by_partition else 0
        if self._by_partition and routes and key is not None:
            self._check_place(partition, key)
        found = tuple(self._path(route, place) for route in routes)
        self._paths[partition][key] = found
        return found

    def _check_place(self, partition: Partition, key: bytes) -> None:
        topic, number = partition
        expected = partition_for(key, self._sources[topic])
        if number != expected:
            raise StreamAppError(
                f"records of {key.decode()} lie in partition {number} of {topic}, but those of their Thing "
                f"belong into {expected}: their producer does not place records by Thing, so several copies "
                "cannot join them. Run the app without spread, or partition by Thing"
            )

    def _path(self, route: Route, place: int) -> _Path:
        read = admitting_reader(route)
        if not self._keeps_state:
            return read, self._add_alone, None
        choose = getattr(self._derivation, "choose", None)
        if choose is not None:
            return read, self._adder_by_choice(choose, place), None
        if route.key_of is not None:
            return read, self._adder_by_value(route, place), None
        series = self._memory.series(place, route.key)
        return read, series.join.adders[route.source], series

    def _add_alone(self, _time: int, record: Any) -> bool:  # noqa: ANN401 - of the derivation's record type
        self._tuples.append((record,))
        return True

    def _adder_by_value(self, route: Route, place: int) -> Callable[[int, Any], bool]:
        key_of, source, memory = route.key_of, route.source, self._memory

        def add(moment: int, record: Any) -> bool:  # noqa: ANN401 - of the derivation's record type
            key = None if key_of is None else key_of(record)
            if key is None:
                return True
            series = memory.series(place, key)
            memory.touched.add(series)
            is_taken: bool = series.join.adders[source](moment, record)
            return is_taken

        return add

    def _adder_by_choice(
        self, choose: Callable[[Any], Sequence[int]], place: int
    ) -> Callable[[int, Any], bool]:
        memory = self._memory

        def add(moment: int, record: Any) -> bool:  # noqa: ANN401 - of the derivation's record type
            series = memory.series(place, None)
            memory.touched.add(series)
            taken = [series.join.adders[source](moment, record) for source in choose(record)]
            return all(taken)

        return add

    # What comes out, into the transaction.

    def send(self, decided: Derived, counts: RecordCounts) -> None:
        """Hand output records and dead letters to the producer.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        counts.add(decided.counts)

        def refuse(number: int, error: KafkaException) -> None:
            raise self._explained(error, decided.calls[number]) from error

        send_all(self._producer, decided.calls, refuse)
        counts.forwarded += len(decided.calls)
        for message, code, detail in decided.refused:
            self._letters.set_aside(cast("Record", message), code, detail, counts)

    def _explained(self, error: KafkaException, call: _Call) -> Exception:
        if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
            return error
        return StreamAppError(
            f"a record of {call[2].decode()} does not fit into topic {self._target}: raise "
            "max.message.bytes there, or select fewer attributes"
        )

    def places(self, positions: Mapping[Partition, int]) -> Mapping[Partition, Place]:
        """Say where to go on after a crash: at the first record that is held back."""
        if self._alignment is None:
            return super().places(positions)
        return {partition: self._alignment.place(partition, read) for partition, read in positions.items()}

    def remember(self, counts: RecordCounts) -> None:
        """Write down what the joins remember.

        Raises:
            KafkaException: the transaction cannot go on.
        """
        if self._keeps_state:
            self._memory.write(counts)

    def restore(self, places: Mapping[Partition, Place]) -> None:
        """Read back what the joins remembered for these partitions.

        Raises:
            StreamAppError: it cannot be read.
        """
        self._paths = {}
        self._tuples.clear()
        if self._alignment is not None:
            self._alignment.reset(places)
        if self._keeps_state and places:
            partitions = {partition for _, partition in places} if self._by_partition else {0}
            self._memory.read(sorted(partitions))


def _by_partition(batch: Batch) -> list[tuple[Partition, Sequence[Message]]]:
    """Take a batch apart by partition, in the order of arrival within each."""
    if not batch.messages:
        return []
    if len(batch.positions) == 1:
        (partition,) = batch.positions
        return [(partition, batch.messages)]
    groups: dict[Partition, list[Message]] = {}
    for message in batch.messages:
        groups.setdefault((message.topic() or "", message.partition() or 0), []).append(message)
    return list(groups.items())
