"""The handshake: which tenant and which token a socket comes with.

Owns where they are written. What a token counts is the authenticator's affair.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from decabilld.domain.refusals import Invalid
from decabilld.realtime.ports import RealtimeSettings

DEFAULT_TENANT = "default"


class Credentials(Struct, frozen=True):
    """As sent, unproven."""

    authorization: str | None
    tenant: str


def credentials_of(auth: object, environ: Mapping[str, Any]) -> Credentials:
    """What the handshake's `auth` says, else its headers: browsers can't set headers on a WebSocket."""
    said = auth if isinstance(auth, dict) else {}
    authorization = said.get("Authorization") or environ.get("HTTP_AUTHORIZATION")
    tenant = said.get("tenantId") or environ.get("HTTP_X_TENANT") or ""
    return Credentials(
        authorization if isinstance(authorization, str) else None,
        tenant.strip() if isinstance(tenant, str) else str(tenant),
    )


def tenant_of(credentials: Credentials, settings: RealtimeSettings) -> str:
    """The tenant that is meant. Raises Invalid for one that is not in the allowlist."""
    tenant_id = credentials.tenant
    if not tenant_id and settings.tenants_allow_default:
        tenant_id = DEFAULT_TENANT
    if tenant_id not in settings.tenant_ids:
        raise Invalid("Invalid tenant")
    return tenant_id
