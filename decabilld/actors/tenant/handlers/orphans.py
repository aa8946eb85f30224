"""Servers with our label that no item pays for: said once in the journal, and that they are gone."""

from msgspec.structs import replace

from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import OrphanServer
from decabilld.messages.commands import ForgetOrphan, ReportOrphan
from decabilld.messages.decision import Context, Decision, Entry


def report_orphan(state: TenantState, command: ReportOrphan, context: Context) -> Decision:
    """Once a server, however often it is found."""
    known = state.get(OrphanServer, command.orphan_id)
    if known is not None and known.live and not command.deleted:
        return Decision()
    orphan = OrphanServer(
        id=command.orphan_id,
        provider=command.provider,
        server_id=command.server_id,
        name=command.name,
        label_id=command.label_id,
        found_at=known.found_at if known is not None and known.live else context.wall,
        gone_at=context.wall if command.deleted else None,
    )
    if command.deleted:
        return _changed("server.orphan_deleted", f"Server {orphan.name}, which nobody pays for, was deleted", orphan)
    message = f"Server {orphan.name} at {orphan.provider} runs, and nobody pays for it"
    return _changed("server.orphan_found", message, orphan, level="error")


def forget_orphan(state: TenantState, command: ForgetOrphan, context: Context) -> Decision:
    known = state.get(OrphanServer, command.orphan_id)
    if known is None or not known.live:
        return Decision()
    gone = replace(known, gone_at=context.wall)
    return _changed("server.orphan_gone", f"Server {gone.name} is an orphan no more", gone)


def _changed(kind: str, message: str, orphan: OrphanServer, *, level: str = "info") -> Decision:
    data = {"provider": orphan.provider, "server_id": orphan.server_id, "label_id": orphan.label_id}
    return Decision(
        changes=(orphan,), entries=(Entry(kind=kind, message=message, entity=orphan, level=level, data=data),)
    )
