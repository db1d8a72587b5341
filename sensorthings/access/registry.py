"""What is kept of principals: systems they read and write, and their tokens.

What lives here: the admins' changes, each idempotent. What does not: looking a principal up
(`sensorthings.access.lookup`), what contracts share (`shares`), HTTP (`sensorthings.http.access_routes`), and
what follows from it for a query (`sensorthings.access.sight`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    DateTime,
    Text,
    any_,
    bindparam,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from client.errors import InvalidNameError
from client.messaging.topics import SystemName
from sensorthings.access.tokens import digest_of, new_token
from sensorthings.database import Session
from sensorthings.errors import BodyError, EntityMissingError
from sensorthings.model.tables import access_grant, principal, system, token

MAX_NAME_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Grant:
    """A system that a principal reads.

    Attributes:
        system: Its name.
        write: Whether the principal may change what belongs to it, too.
    """

    system: str
    write: bool = False


@dataclass(frozen=True, slots=True)
class PrincipalState:
    """Everything about a principal but its tokens.

    Attributes:
        name: Unique name.
        is_admin: May see and change everything, and administer access.
        home: Name of the system that its new entities belong to when nothing else tells; None for none.
        grants: Systems that it reads, by name.
        certificate: UID of the certificates that are this principal's, and no others are; None for those of
            its own name.
    """

    name: str
    is_admin: bool = False
    home: str | None = None
    grants: tuple[Grant, ...] = ()
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class TokenState:
    """What is known of a token once it was shown.

    Attributes:
        id: Its number.
        label: What its maker wrote on it.
        created: When it was made.
        expires: From when on it does not count; None for never.
        revoked: When it was revoked; None when it was not.
    """

    id: int
    label: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None


async def list_principals(session: Session) -> list[PrincipalState]:
    """List all principals, by name."""
    home = system.alias()
    rows = await session.rows(
        select(
            principal.c.name,
            principal.c.is_admin,
            home.c.name,
            principal.c.certificate,
            system.c.name,
            access_grant.c.may_write,
        )
        .select_from(principal)
        .outerjoin(home, home.c.id == principal.c.home_system_id)
        .outerjoin(access_grant, access_grant.c.principal_id == principal.c.id)
        .outerjoin(system, system.c.id == access_grant.c.system_id)
        .order_by(principal.c.name, system.c.name)
    )
    grants: dict[str, list[Grant]] = {}
    heads: dict[str, tuple[bool, str | None, str | None]] = {}
    for name, is_admin, home_name, certificate, granted, may_write in rows:
        heads[name] = (is_admin, home_name, certificate)
        if granted is not None:
            grants.setdefault(name, []).append(Grant(granted, may_write))
    return [
        PrincipalState(name, is_admin, home_name, tuple(grants.get(name, ())), certificate)
        for name, (is_admin, home_name, certificate) in heads.items()
    ]


async def system_names(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Give the names of systems by id."""
    wanted = bindparam("ids", list(ids), type_=ARRAY(BigInteger))
    rows = await session.rows(select(system.c.id, system.c.name).where(system.c.id == any_(wanted)))
    return dict(rows)


async def put_principal(session: Session, state: PrincipalState) -> bool:
    """Make a principal be exactly as described.

    Its tokens stay, unless other certificates take the place of those it had: then whoever held the old ones
    must not go on with a token either.

    Args:
        session: Inside a transaction.
        state: The whole state.

    Returns:
        Whether it is new.

    Raises:
        BodyError: A system's name breaks the rules, the home is not among those that it may write, or the
            certificates are another's.
    """
    wanted = {one.system: one.write for one in state.grants}
    if state.home is not None and not wanted.get(state.home):
        raise BodyError(
            "access.home",
            f"{state.home} is the home, but not granted for writing.",
            place="/home",
            hint="Add it to grants with write: true, or leave home out.",
        )
    systems = await systems_by_name(session, sorted(wanted))
    home = None if state.home is None else systems[state.home]
    await _check_certificate(session, state)
    columns = {"is_admin": state.is_admin, "home_system_id": home, "certificate": state.certificate}
    made = insert(principal).values(name=state.name, **columns).on_conflict_do_nothing()
    is_new = await session.run(made) > 0
    if not is_new:
        await _end_replaced_tokens(session, state)
        await session.run(update(principal).where(principal.c.name == state.name).values(columns))
    identifier = await _principal_id(session, state.name)
    await session.run(delete(access_grant).where(access_grant.c.principal_id == identifier))
    if wanted:
        rows = [
            {"principal_id": identifier, "system_id": systems[name], "may_write": write}
            for name, write in wanted.items()
        ]
        await session.run(insert(access_grant).values(rows))
    return is_new


async def _end_replaced_tokens(session: Session, state: PrincipalState) -> None:
    replaced = select(principal.c.id).where(
        principal.c.name == state.name,
        principal.c.certificate.is_not(None),
        principal.c.certificate.is_distinct_from(state.certificate),
    )
    await session.run(
        update(token)
        .where(token.c.principal_id.in_(replaced), token.c.revoked.is_(None))
        .values(revoked=func.now())
    )


async def _check_certificate(session: Session, state: PrincipalState) -> None:
    if state.certificate is None:
        return
    theirs = select(principal.c.name).where(
        principal.c.certificate == state.certificate, principal.c.name != state.name
    )
    owner = await session.scalar(theirs)
    if owner is not None:
        raise BodyError(
            "access.certificate",
            f"certificates with the UID {state.certificate} are of {owner}.",
            place="/certificate",
            hint="Take it from that principal first, or correct the UID.",
        )


async def systems_by_name(session: Session, names: Sequence[str]) -> dict[str, int]:
    """Give the ids of systems by name; those that are not there yet are made.

    Raises:
        BodyError: A name breaks the rules.
    """
    for name in names:
        try:
            SystemName.parse(name)
        except InvalidNameError as error:
            raise BodyError("access.system", str(error), place="/grants") from None
    if not names:
        return {}
    await session.run(insert(system).values([{"name": name} for name in names]).on_conflict_do_nothing())
    wanted = any_(bindparam("names", list(names), type_=ARRAY(Text)))
    rows = await session.rows(select(system.c.name, system.c.id).where(system.c.name == wanted))
    return dict(rows)


async def delete_principal(session: Session, name: str) -> None:
    """Remove a principal with its tokens.

    Raises:
        EntityMissingError: There is none of that name.
    """
    if not await session.run(delete(principal).where(principal.c.name == name)):
        raise _no_principal(name)


async def create_token(
    session: Session, name: str, *, label: str = "", expires: datetime | None = None
) -> tuple[int, str]:
    """Make a token of a principal.

    Args:
        session: Inside a transaction.
        name: Name of the principal.
        label: What to write on it.
        expires: From when on it does not count; None for never.

    Returns:
        Its number, and the token itself, which cannot be read again.

    Raises:
        EntityMissingError: There is no such principal.
    """
    secret = new_token()
    identifier = await session.scalar(
        insert(token)
        .values(
            principal_id=await _principal_id(session, name),
            digest=digest_of(secret),
            label=label,
            expires=expires,
        )
        .returning(token.c.id)
    )
    return int(identifier), secret


async def list_tokens(session: Session, name: str) -> list[TokenState]:
    """List the tokens of a principal, the oldest first.

    Raises:
        EntityMissingError: There is no such principal.
    """
    columns = (token.c.id, token.c.label, token.c.created, token.c.expires, token.c.revoked)
    owner = await _principal_id(session, name)
    rows = await session.rows(select(*columns).where(token.c.principal_id == owner).order_by(token.c.id))
    return [TokenState(*row) for row in rows]


async def revoke_tokens(session: Session, name: str, identifier: int | None = None) -> None:
    """Revoke one token of a principal, or all of them; one that was revoked stays so.

    Raises:
        EntityMissingError: There is no such principal, or it has no such token.
    """
    owner = await _principal_id(session, name)
    own = token.c.principal_id == owner
    if identifier is not None:
        own &= token.c.id == identifier
    changed = func.coalesce(token.c.revoked, func.now(), type_=DateTime(timezone=True))
    touched = await session.run(update(token).where(own).values(revoked=changed))
    if identifier is not None and not touched:
        raise EntityMissingError(f"{name} has no token {identifier}.", "GET its list of tokens.")


async def _principal_id(session: Session, name: str) -> int:
    identifier = await session.scalar(select(principal.c.id).where(principal.c.name == name))
    if identifier is None:
        raise _no_principal(name)
    return int(identifier)


def _no_principal(name: str) -> EntityMissingError:
    return EntityMissingError(
        f"There is no principal {name}.", "GET the list of principals, or PUT this one first."
    )
