"""Rows of the registry, written straight into the platform's tables."""

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import create_engine, delete, select, update
from sqlalchemy.orm import Session

from platform_ui.accounts.models import User
from platform_ui.clients.models import ClientApp
from platform_ui.companies.models import Company
from platform_ui.credentials.models import ARCHIVE, Credential, IssuedCertificate
from platform_ui.pki.names import Kind
from platform_ui.streams.models import StreamApp
from platform_ui.systems.models import ACTIVE, System

_EMAIL = "registrar@example.org"


class Registrar:
    """Registers systems, apps and certificates in a database.

    Args:
        url: The platform's database.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)

    def close(self) -> None:
        self._engine.dispose()

    def system(self, name: str) -> None:
        with Session(self._engine) as session:
            person, present = self._person(session), datetime.now(UTC)
            company = session.scalar(select(Company).where(Company.name == ".".join(name.split(".")[:2])))
            if company is None:
                company = Company(
                    id=uuid.uuid4(),
                    name=".".join(name.split(".")[:2]),
                    created_at=present,
                    created_by=person,
                )
                session.add(company)
                session.flush()
            session.add(
                System(
                    id=uuid.uuid4(),
                    company_id=company.id,
                    name=name,
                    state=ACTIVE,
                    description="",
                    created_at=present,
                    created_by=person,
                )
            )
            session.commit()

    def client(self, system: str, name: str, *, certified: bool = True) -> None:
        with Session(self._engine) as session:
            session.add(
                ClientApp(
                    id=uuid.uuid4(),
                    system_id=self._system(session, system),
                    name=name,
                    created_at=datetime.now(UTC),
                    created_by=self._person(session),
                )
            )
            session.commit()
        if certified:
            self.certify(Kind.CLIENT, f"{system}.{name}")

    def app(self, source: str, name: str, target: str, statement: str) -> None:
        with Session(self._engine) as session:
            present = datetime.now(UTC)
            session.add(
                StreamApp(
                    id=uuid.uuid4(),
                    system_id=self._system(session, source),
                    target_system_id=self._system(session, target),
                    name=name,
                    statement=statement,
                    created_at=present,
                    changed_at=present,
                    created_by=self._person(session),
                )
            )
            session.commit()
        self.certify(Kind.APP, f"{source}.{name}")

    def unregister_app(self, source: str, name: str) -> None:
        with Session(self._engine) as session:
            one = (StreamApp.name == name) & (StreamApp.system_id == self._system(session, source))
            session.execute(delete(StreamApp).where(one))
            session.commit()

    def certify(self, kind: Kind, name: str, serial: int | None = None) -> None:
        with Session(self._engine) as session:
            present = datetime.now(UTC)
            credential = session.get(Credential, (kind, name))
            if credential is None:
                credential = Credential(kind=kind, name=name, epoch=1, created_at=present)
                session.add(credential)
                session.flush()
            session.add(
                IssuedCertificate(
                    serial=uuid.uuid4().hex if serial is None else f"{serial:x}",
                    kind=kind,
                    name=name,
                    epoch=credential.epoch,
                    not_before=present,
                    not_after=present + timedelta(days=1),
                    issued_at=present,
                    issued_by=_EMAIL,
                    origin=ARCHIVE,
                )
            )
            session.commit()

    def revoke(self, kind: Kind, name: str) -> None:
        with Session(self._engine) as session:
            one = (Credential.kind == kind) & (Credential.name == name)
            session.execute(update(Credential).where(one).values(epoch=Credential.epoch + 1))
            session.commit()

    def _person(self, session: Session) -> uuid.UUID:
        found = session.scalar(select(User.id).where(User.email == _EMAIL))
        if found is None:
            person = User(
                id=uuid.uuid4(),
                email=_EMAIL,
                first_name="Rita",
                last_name="Registrar",
                password_hash="-",
                created_at=datetime.now(UTC),
            )
            session.add(person)
            session.commit()
            found = person.id
        return found

    def _system(self, session: Session, name: str) -> uuid.UUID:
        return session.scalars(select(System.id).where(System.name == name)).one()
