"""Which PostgreSQL, and how it is reached."""

from dataclasses import dataclass

from decabilld.settings import parsing
from decabilld.settings.variable import variable


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    db_host: str | None = variable("DB_HOST", None, "PostgreSQL server; unset: the daemon runs its own")
    db_port: int = variable("DB_PORT", 5432, "Its port", parsing.whole(1, 65_535))
    db_username: str = variable("DB_USERNAME", "decabilld", "Its user")
    db_password: str | None = variable("DB_PASSWORD", None, "The user's password", secret=True)
    db_database: str = variable("DB_DATABASE", "decabilld", "Its database")
    db_sslmode: str = variable(
        "DB_SSLMODE", "prefer", "How TLS is used, as libpq's sslmode",
        parsing.one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    )  # fmt: skip
    db_read_connections: int = variable(
        "DB_READ_CONNECTIONS", 8, "Connections for lists and searches", parsing.whole(1, 200)
    )
