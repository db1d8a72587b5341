"""Who may look at assets and who may change them, and what is written down about a change.

What lives here: the platform's own check, the way to the service for one person, the audit log. What does
not: what the SensorThings service lets that person do (it decides again, by their name), pages, forms.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from platform_ui.accounts.models import User
from platform_ui.assets import writing
from platform_ui.assets.comparing import Plan, State, compare
from platform_ui.assets.files import read_text, write_text
from platform_ui.assets.forms import DatastreamChangeForm, DatastreamForm, ThingChangeForm, ThingForm
from platform_ui.assets.reading import AssetReader
from platform_ui.assets.views import DatastreamView, ThingView
from platform_ui.audit import service as audit
from platform_ui.metadata.gateway import Gateway
from platform_ui.systems import service as systems
from platform_ui.systems.models import System


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one person works on the assets of one system.

    Attributes:
        session: The database.
        user: Who works.
        system: Full name of the system.
        gateway: The way to the SensorThings service.
    """

    session: AsyncSession
    user: User
    system: str
    gateway: Gateway

    async def look(self) -> AssetReader:
        """Return the way to the assets for somebody who operates or views the system.

        The database's connection is given back: the service may take long, and others wait for it meanwhile.

        Raises:
            NotFoundError: There is no such system, or the person has no part in it.
        """
        found = await systems.see_system(self.session, self.user, self.system)
        return await self._reader(found)

    async def change(self) -> AssetReader:
        """Return the way to the assets for an agent of the system.

        Raises:
            NotFoundError: There is no such system, or the person has no part in it.
            ForbiddenError: The person only views it.
        """
        found = await systems.get_system(self.session, self.user, self.system)
        return await self._reader(found)

    async def _reader(self, system: System) -> AssetReader:
        reader = AssetReader(self.gateway, self.user.email, system.name)
        await self.session.commit()  # what the API noted about the request stays; a rollback would lose it
        return reader

    async def note(self, action: str, name: str, after: Mapping[str, object] | None = None) -> None:
        """Write down what was done, and perhaps what came of it."""
        audit.record(self.session, self.user, action, name, after=after)
        await self.session.commit()


async def create_thing(desk: Desk, reader: AssetReader, form: ThingForm) -> ThingView:
    """Register a Thing.

    Raises:
        FormError: There is one of this name.
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    name = await writing.create_thing(reader, form)
    await desk.note("asset.thing_created", name)
    return ThingView("", name, reader.system, form.description, form.properties)


async def change_thing(desk: Desk, reader: AssetReader, thing: ThingView, form: ThingChangeForm) -> None:
    """Change a Thing.

    Raises:
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    await writing.change_thing(reader, thing, form)
    await desk.note("asset.thing_changed", thing.name)


async def create_datastream(desk: Desk, reader: AssetReader, form: DatastreamForm) -> str:
    """Register a Datastream; return its full name.

    Raises:
        FormError: There is one of this name, or no such Thing.
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    name = await writing.create_datastream(reader, form)
    await desk.note("asset.datastream_created", name)
    return name


async def change_datastream(
    desk: Desk,
    reader: AssetReader,
    datastream: DatastreamView,
    form: DatastreamChangeForm,
) -> None:
    """Change what a Datastream means.

    Raises:
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    await writing.change_datastream(reader, datastream, form)
    await desk.note("asset.datastream_changed", datastream.name)


async def delete(desk: Desk, reader: AssetReader, asset: ThingView | DatastreamView) -> None:
    """Delete a Thing with its Datastreams and their Observations, or a Datastream with its own.

    Raises:
        NotFoundError: It is gone already.
        ConflictError: The service refuses.
        MetadataError: The service does not answer.
    """
    is_thing = isinstance(asset, ThingView)
    await writing.delete(reader, "Things" if is_thing else "Datastreams", asset.iot_id)
    await desk.note("asset.thing_deleted" if is_thing else "asset.datastream_deleted", asset.name)


async def plan_of(reader: AssetReader, text: str) -> Plan:
    """Return what an instances file would change; nothing is written.

    Raises:
        InstancesRefusedError: The file is wrong; with place and remedy.
        MetadataError: The service does not answer.
    """
    return compare(read_text(text, reader.system), await writing.read_present(reader))


async def apply_plan(desk: Desk, reader: AssetReader, plan: Plan) -> None:
    """Bring a plan about, whole or not at all.

    Raises:
        ConflictError: The service refuses a part of it; nothing has changed.
        MetadataError: The service does not answer.
    """
    if not plan.requests:
        return
    await writing.apply(reader, plan)
    counts = {str(state): len(plan.of(state)) for state in (State.NEW, State.CHANGED)}
    await desk.note("asset.instances_applied", reader.system, counts)


async def download(reader: AssetReader) -> str:
    """Return what is in service as an instances file.

    Raises:
        MetadataError: The service does not answer.
    """
    return write_text(await writing.read_present(reader))
