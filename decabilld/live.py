"""What changes while the daemon runs: which settings are taken over as they are given anew, and which want a restart.

Owns that division. Reading them is `settings`'s, saying when `process.py`'s.
"""

import dataclasses
from typing import Any

import structlog

from decabilld import logs
from decabilld.access_setup import rate_limit_of
from decabilld.actors.provider import Names
from decabilld.actors.registry import Tenants
from decabilld.gateways.providers import Providers
from decabilld.gateways.rest import TakesToken
from decabilld.http.limits import Limits
from decabilld.settings import Settings, variables

ADDED_TENANTS_MAX = 8
"""Between two starts: each takes a connection, and our own PostgreSQL has been started for so many."""
_PROVIDERS = {"hetzner_api_token": "hetzner", "digitalocean_api_token": "digital-ocean"}
_RATE_LIMITS = ("rate_limit_enabled", "rate_limit_limit", "rate_limit_ttl_seconds")
_log = structlog.get_logger("live")


class LiveSettings:
    """The settings in force: those of the start, and what was taken over since."""

    def __init__(
        self, settings: Settings, tenants: Tenants, limits: Limits, providers: Providers, names: Names | None
    ) -> None:
        self.settings = settings
        self._tenants, self._limits, self._providers, self._names = tenants, limits, providers, names
        self._tenants_max = len(tenants.ids) + ADDED_TENANTS_MAX

    def take(self, fresh: Settings) -> None:
        """Take over what can be, and log what can't: by name, never by value."""
        taken: list[str] = []
        waiting = self._unknown_changes(fresh)
        for variable in variables():
            field = variable["field"]
            if getattr(fresh, field) != getattr(self.settings, field):
                (taken if variable["live"] and self._take(field, fresh) else waiting).append(variable["name"])
        if waiting:
            _log.warning("settings_need_restart", settings=waiting)
        _log.info("settings_reloaded", changed=taken)

    def _take(self, field: str, fresh: Settings) -> bool:
        """Whether this one is in force now, wholly."""
        value = getattr(fresh, field)
        if field == "tenants":
            return self._take_tenants(fresh)
        if field in _PROVIDERS:
            if not self._change_token(self._providers.get(_PROVIDERS[field]), field, value):
                return False
        elif field == "cloudflare_api_token" and not self._change_token(self._names, field, value):
            return False
        self._keep(field, value)
        if field in _RATE_LIMITS:
            self._limits.change(rate_limit_of(self.settings))
        elif field == "log_level":
            logs.configure(self.settings.log_level, self.settings.log_format)
        return True

    def _take_tenants(self, fresh: Settings) -> bool:
        """Those that are added are loaded; one that is taken away is served until the restart."""
        room = self._tenants_max - len(self._tenants.ids)
        added = [tenant_id for tenant_id in fresh.tenants if tenant_id not in self._tenants.allowlist]
        for tenant_id in added[:room]:
            self._tenants.add(tenant_id)
        self._keep("tenants", tuple(self._tenants.ids))
        return set(fresh.tenants) == self._tenants.allowlist

    def _change_token(self, holder: object, field: str, token: str | None) -> bool:
        """Not one that is set for the first time, or no more: what can be ordered hangs on that."""
        if token is None or getattr(self.settings, field) is None or not isinstance(holder, TakesToken):
            return False
        holder.change_token(token)
        return True

    def _keep(self, field: str, value: Any) -> None:
        self.settings = dataclasses.replace(self.settings, **{field: value})

    def _unknown_changes(self, fresh: Settings) -> list[str]:
        """Variables of others, of a provider's package say, that are not what they were at the start."""
        declared = {variable["name"] for variable in variables()}
        before, now = self.settings.variables, fresh.variables
        return sorted(name for name in (before.keys() | now.keys()) - declared if before.get(name) != now.get(name))
