"""Looks at this machine: the directories and their disks, and whether the daemon runs and is ready."""

import asyncio
import json
import os
import shutil
import tempfile
from pathlib import Path

import aiohttp

from decabilld.control.socket_file import ControlSocketTaken, control_path, is_answered
from decabilld.doctor.finding import Finding, well, wrong
from decabilld.settings import Settings

FREE_SHARE_MIN = 0.05
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the address to ask instead


async def machine(settings: Settings, http: aiohttp.ClientSession) -> list[Finding]:
    places = {"data directory": settings.data_path, "documents": settings.documents_path}
    found = [await asyncio.to_thread(_directory, name, path) for name, path in places.items()]
    return [*found, await _daemon(settings, http)]


def _directory(name: str, path: Path) -> Finding:
    """Whether we may write there, and how much room there is; one that isn't there yet is made by the daemon."""
    there = path
    try:
        there = next(place for place in (path, *path.parents) if place.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
        if there == path and (others := _others(path)):
            own = path.stat()
            return wrong(
                name,
                f"{path} belongs to user {own.st_uid}, but not what is in it ({', '.join(others[:5])}), which that "
                f"user's daemon can't use: chown -R {own.st_uid}:{own.st_gid} {path}",
            )
    except OSError as error:
        return wrong(
            name, f"{there} can't be written by user {os.geteuid()}: {error.strerror}; chown it to the daemon's"
        )
    disk = shutil.disk_usage(there)
    room = f"{disk.free / 1e9:.1f} GB of {disk.total / 1e9:.1f} GB free"
    if disk.free < FREE_SHARE_MIN * disk.total:
        return wrong(name, f"{path}: only {room}; make room or move it to a larger disk")
    return well(name, f"{path}: {room}")


def _others(directory: Path) -> list[str]:
    """What lies there and isn't its owner's, though that one is no root: to root itself it would look well."""
    owner = directory.stat().st_uid
    if owner == 0:
        return []
    found = (place for place in directory.iterdir() if place.name != "lost+found")
    return sorted(place.name for place in found if place.lstat().st_uid != owner)


async def _daemon(settings: Settings, http: aiohttp.ClientSession) -> Finding:
    try:
        if not is_answered(control_path(settings.data_path)):
            return well("daemon", "it doesn't run")
    except (ControlSocketTaken, OSError) as error:
        return wrong("daemon", str(error))
    if settings.port == 0:
        return well("daemon", "it runs")
    host = EVERYWHERE.get(settings.host, settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/api/ready"
    try:
        async with http.get(url) as response:
            if response.status == 200:
                return well("daemon", "it runs and is ready")
            text = await response.text()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return wrong(
            "daemon", f"it runs, but {url} doesn't answer ({str(error) or 'time-out'}); see HOST, PORT and its log"
        )
    return wrong("daemon", f"it runs, but isn't ready: {_reason(text)}")


def _reason(text: str) -> str:
    """What /api/ready gives as its reason, in one line."""
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if isinstance(said, dict):
        reasons = said.get("reasons") or said.get("message")
        return "; ".join(map(str, reasons)) if isinstance(reasons, list) else str(reasons or text)
    return text[:200]
