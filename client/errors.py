"""Every error of the client room, as one tree; other rooms hang their own under `DigitalTwinError`.

What lives here: the error classes and the facts they carry. What does not: wrapping of foreign exceptions,
which happens where they enter (the ports in `client.messaging` and `client.metadata`).

    DigitalTwinError
      ConfigurationError           found before any network is touched; names the setting
        InvalidNameError           a system, Thing or Datastream name breaks a rule
      DescriptionFileError         a file of the user is wrong; names file and place
        InstanceFileError
        SubscriptionFileError
      UnknownQuantityError         produce() before register(), or a typing error
      InvalidTimeError  InvalidResultError  UnknownAttributeError
      SensorThingsError            UnavailableError (retriable)  EntityNotFoundError  EntityRejectedError
        AccessRefusedError         an EntityRejectedError: no token, a wrong one, or not allowed
      MessagingError               BrokerUnavailableError (retriable)  TopicNotFoundError  NotAuthorizedError
                                   DeliveryError  QueueFullError (retriable)
      EnrolmentError               a certificate was not made or renewed (retriable)
      RecordFormatError            where the record is, so that it can be found again
"""

from collections.abc import Iterable, Sequence
from pathlib import Path


class DigitalTwinError(Exception):
    """Root of all errors of the Digital Twin Stack; `retriable` says whether trying again later may help."""

    retriable: bool = False


class ConfigurationError(DigitalTwinError):
    """A setting is missing or wrong; raised before any network is touched."""

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class InvalidNameError(ConfigurationError):
    """A name breaks a rule of its level (design: system = domain.enterprise.workcenter.station)."""

    def __init__(self, message: str, *, name: str = "", level: str = "", rule: str = "") -> None:
        super().__init__(message, setting=level or None)
        self.name = name
        self.level = level
        self.rule = rule


class DescriptionFileError(DigitalTwinError):
    """A file of the user is wrong; the message names file, JSON pointer (RFC 6901), problem, remedy."""

    def __init__(self, path: Path | str, pointer: str, problem: str, remedy: str) -> None:
        place = f"{path}, at {pointer}" if pointer else str(path)
        super().__init__(f"{place}: {problem}. {remedy}")
        self.path = Path(path)
        self.pointer = pointer
        self.problem = problem
        self.remedy = remedy


class InstanceFileError(DescriptionFileError):
    """An instances file (or a mappings file) is missing, is not JSON, or describes something impossible."""


class SubscriptionFileError(DescriptionFileError):
    """A subscriptions file is missing, is not JSON, or lists something that is not a Datastream name."""


class UnknownQuantityError(DigitalTwinError):
    """A quantity was used that no registered Datastream of this client has."""

    def __init__(self, quantity: object, known: Iterable[str]) -> None:
        self.quantity = quantity
        self.known = tuple(sorted(known))
        listed = ", ".join(repr(name) for name in self.known) or "none: call register() first"
        super().__init__(f"quantity {quantity!r} is not registered. Known quantities: {listed}")


class InvalidTimeError(DigitalTwinError):
    """A value is not a point in time, or leaves open which one (no UTC offset)."""


class InvalidResultError(DigitalTwinError):
    """A result does not fit the observationType of its Datastream, or cannot be written as JSON."""


class UnknownAttributeError(DigitalTwinError):
    """A record carries an attribute that the client was not constructed with."""

    def __init__(self, attribute: str, known: Iterable[str]) -> None:
        self.attribute = attribute
        self.known = tuple(sorted(known))
        listed = ", ".join(self.known) or "none"
        super().__init__(
            f"attribute {attribute!r} is not among the additional attributes of this client ({listed}). "
            f'Name it in DigitalTwinClient(..., additional_attributes="{",".join((*self.known, attribute))}")'
        )


class SensorThingsError(DigitalTwinError):
    """Something went wrong between this program and the SensorThings service."""


class UnavailableError(SensorThingsError):
    """The SensorThings service does not answer, or answers with a server error, after all retries."""

    retriable = True


class EntityNotFoundError(SensorThingsError):
    """The SensorThings service has no such entity."""


class EntityRejectedError(SensorThingsError):
    """The SensorThings service understood a request and refused it."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class AccessRefusedError(EntityRejectedError):
    """The SensorThings service does not know this client (401), or does not let it do this (403)."""


class MessagingError(DigitalTwinError):
    """Something went wrong between this program and Kafka."""


class BrokerUnavailableError(MessagingError):
    """No Kafka broker answers."""

    retriable = True


class TopicNotFoundError(MessagingError):
    """Kafka has no such topic, or this principal may not see it."""

    def __init__(self, message: str, *, topic: str = "") -> None:
        super().__init__(message)
        self.topic = topic


class NotAuthorizedError(MessagingError):
    """Kafka refuses this principal."""

    def __init__(
        self,
        message: str,
        *,
        principal: str | None = None,
        topic: str | None = None,
        operation: str | None = None,
    ) -> None:
        super().__init__(message)
        self.principal = principal
        self.topic = topic
        self.operation = operation


class DeliveryError(MessagingError):
    """Records were handed over for sending and did not arrive; `first` describes the first ones."""

    def __init__(self, message: str, *, undelivered: int = 1, first: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.undelivered = undelivered
        self.first = tuple(first)


class QueueFullError(MessagingError):
    """The local queue stayed full: Kafka takes records too slowly; this record was not taken."""

    retriable = True


class EnrolmentError(DigitalTwinError):
    """A certificate could not be asked for, renewed, or written."""

    retriable = True


class RecordFormatError(DigitalTwinError):
    """A record cannot be understood; topic, partition and offset are enough to find it again."""

    def __init__(
        self,
        code: str,
        detail: str,
        topic: str | None = None,
        partition: int | None = None,
        offset: int | None = None,
    ) -> None:
        where = "" if topic is None else f" (topic {topic}, partition {partition}, offset {offset})"
        super().__init__(f"{code}: {detail}{where}")
        self.code = code
        self.detail = detail
        self.topic = topic
        self.partition = partition
        self.offset = offset
