"""Looks at the database: is it one that keeps what it has acknowledged, has it our schema, does its clock agree."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from decabilld.doctor.finding import Finding, well, wrong
from decabilld.settings import Settings
from decabilld.store import migrations
from decabilld.store.condition import Condition, condition, newest_entry
from decabilld.store.errors import MigrationRefused
from decabilld.store.pool import Connection

NEWEST_TRIED = 18
SPARE_CONNECTIONS = 12
CLOCKS_APART_MAX = timedelta(seconds=2)
AHEAD_MAX = timedelta(minutes=1)


async def database(settings: Settings, connection: Connection) -> list[Finding]:
    """Raises what the connection raises."""
    sent = datetime.now(UTC)
    state = await condition(connection)
    received = datetime.now(UTC)
    findings = [_server(state), _durable(state), _connections(settings, state), _encrypted(settings, state)]
    findings.append(_clock(state.clock - sent if state.clock < sent else max(timedelta(), state.clock - received)))
    findings.append(await _schema(connection))
    if await migrations.applied(connection) and not settings.test_clock:
        findings.append(_time_goes_on(await newest_entry(connection), received))
    return findings


def _server(state: Condition) -> Finding:
    facts = f"PostgreSQL {state.version_text}, {state.size_bytes / 1e6:.0f} MB"
    if state.standby:
        return wrong("database", f"{facts}: it is a standby and takes no writes; set DB_HOST to the primary")
    if state.encoding != "UTF8":
        return wrong("database", f"{facts}: its encoding is {state.encoding}; make one with ENCODING 'UTF8'")
    if state.version >= (NEWEST_TRIED + 1) * 10_000:
        return well("database", f"{facts}; newer than {NEWEST_TRIED}, the last that decabilld was tried with")
    return well("database", facts)


def _durable(state: Condition) -> Finding:
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if state.settings[name] == "off"]
    if off:
        return wrong("durability", f"{', '.join(off)} off: acknowledged invoices can be lost; set to on")
    return well("durability", "fsync, full_page_writes and synchronous_commit are on")


def _connections(settings: Settings, state: Condition) -> Finding:
    offered = int(state.settings["max_connections"]) - int(state.settings["superuser_reserved_connections"])
    needed = len(settings.tenants) + settings.db_read_connections + SPARE_CONNECTIONS
    if settings.external_dsn is not None and offered < needed:
        return wrong("connections", f"{offered} are offered, {needed} needed: raise max_connections")
    return well("connections", f"{needed} needed")


def _encrypted(settings: Settings, state: Condition) -> Finding:
    if settings.db_host is None or _is_near(settings.db_host):
        return well("connection", "it doesn't leave this machine")
    if not state.encrypted:
        return wrong("connection", f"to {settings.db_host} it isn't encrypted: set DB_SSLMODE=verify-full")
    return well("connection", "encrypted")


def _clock(apart: timedelta) -> Finding:
    if abs(apart) > CLOCKS_APART_MAX:
        return wrong("clock", f"the database's clock differs by {apart.total_seconds():.1f} s: let both use NTP")
    return well("clock", "this machine's and the database's agree")


def _time_goes_on(newest: datetime | None, now: datetime) -> Finding:
    if newest is not None and newest > now + AHEAD_MAX:
        return wrong("time", f"the journal's last entry is of {newest:%F %T}Z, later than now: the clock was set back")
    return well("time", "the journal's last entry lies in the past")


async def _schema(connection: Connection) -> Finding:
    try:
        waiting = await migrations.pending(connection)
    except MigrationRefused as error:
        return wrong("schema", str(error))
    if waiting:
        return well("schema", f"the daemon will apply {', '.join(waiting)} at its start")
    return well("schema", "it is this version's")


def _is_near(host: str) -> bool:
    """A socket's directory, or an address of this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.startswith(("/", "@")) or host == "localhost"
