"""Where the daemon listens, where it keeps files, what it logs, whom it serves."""

from dataclasses import dataclass
from pathlib import Path

from decabilld.settings import parsing
from decabilld.settings.variable import variable


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    environment: str = variable("NODE_ENV", "development", "`production` refuses unsafe defaults",
                                 parsing.one_of("development", "test", "production"))  # fmt: skip
    host: str = variable("HOST", "127.0.0.1", "Address that both ports listen on; a proxy with TLS belongs in front")
    port: int = variable("PORT", 3200, "Port of the HTTP API; 0 takes a free one", parsing.whole(0, 65_535))
    websocket_port: int = variable(
        "WEBSOCKET_PORT", 8082, "Port of Socket.IO; 0 takes a free one", parsing.whole(0, 65_535)
    )
    websocket_namespace: str = variable("WEBSOCKET_NAMESPACE", "/billing", "Socket.IO namespace", parsing.namespace)
    websocket_cors_origin: tuple[str, ...] = variable(
        "WEBSOCKET_CORS_ORIGIN",
        (),
        "Origins that may open sockets, separated by commas; `*` for all, the default outside production",
        parsing.several,
    )
    status_poll_interval_ms: int = variable(
        "STATUS_POLL_INTERVAL", 15_000, "Milliseconds between dashboard snapshots unless the client says otherwise",
        parsing.whole(10_000, 120_000),
    )  # fmt: skip
    max_body_bytes: int = variable("MAX_BODY_BYTES", 1_048_576, "Largest request body in bytes",
                                    parsing.whole(1_024, 104_857_600))  # fmt: skip
    data_dir: Path | None = variable(
        "DECABILLD_DATA_DIR", None, "Directory of everything kept in files; default ./var, as root /var/lib/decabilld",
        lambda value: Path(value).expanduser(),
    )  # fmt: skip
    log_level: str = variable("LOG_LEVEL", "info", "debug, info, warning or error",
                               parsing.one_of("debug", "info", "warning", "error"), live=True)  # fmt: skip
    log_format: str = variable("LOG_FORMAT", "auto", "json, text, or auto: text on a terminal",
                                parsing.one_of("auto", "json", "text"))  # fmt: skip

    tenants: tuple[str, ...] = variable("TENANTS", ("default",), "Tenants that are served, separated by commas",
                                         parsing.tenants, live=True)  # fmt: skip
    tenants_allow_default: bool = variable(
        "TENANTS_ALLOW_DEFAULT", True, "Whether a request without X-Tenant means the tenant `default`", parsing.flag
    )
    test_clock: bool = variable(
        "TEST_CLOCK", False, "Lets admins move their tenant's time; never in production", parsing.flag
    )
