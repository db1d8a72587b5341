"""Unpacking an archive that came from the platform, with every Python that the stack runs on."""

import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the files of an archive below a folder, with their rights.

    The first releases of Python 3.11 do not know the `filter` without which later ones warn.
    """
    for member in archive.getmembers():
        content = archive.extractfile(member) if member.isfile() else None
        if content is None:
            continue
        place = folder / member.name
        assert place.resolve().is_relative_to(folder.resolve()), member.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.read())
        place.chmod(member.mode)
