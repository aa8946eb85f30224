"""What can go wrong between us and PostgreSQL, in the words that callers decide by; the driver's errors end here.

Owns the one translation from psycopg2. Says nothing about HTTP: the edges map these themselves.
"""

import psycopg2
import psycopg2.errorcodes as codes

_CANCELLED = {codes.QUERY_CANCELED, codes.LOCK_NOT_AVAILABLE}
_ENDS_SESSION = {"FATAL", "PANIC"}


class DatabaseError(Exception):
    """Base of all errors of the store."""


class DatabaseDown(DatabaseError):
    """No connection, and nothing was sent: surely nothing happened. Try again later."""


class DatabaseBusy(DatabaseError):
    """No connection of the pool became free in time; nothing was sent."""


class OutcomeUnknown(DatabaseError):
    """The connection went, or time ran out, while the statements ran: they may be committed or not."""


class StatementTimedOut(DatabaseError):
    """The server cancelled the statement (statement_timeout, lock_timeout): surely rolled back, connection good."""


class StatementFailed(DatabaseError):
    """The server refused a statement: the whole list is surely rolled back, the connection is good.

    `sqlstate` is the five-character code (empty if the driver refused before sending), `constraint` the violated one.
    `detail` names the row: it may be about a customer and is no part of the message.
    """

    def __init__(self, sqlstate: str, constraint: str | None, message: str, detail: str | None = None) -> None:
        super().__init__(f"{sqlstate or 'not sent'}: {message}")
        self.sqlstate = sqlstate
        self.constraint = constraint
        self.message = message
        self.detail = detail


class MigrationRefused(DatabaseError):
    """The database and the migrations of this version don't fit together; the message says how."""


class PostgresFailed(DatabaseError):
    """Our own PostgreSQL can't be started; the message says why and, where we know, what to do."""


class HomeInUse(PostgresFailed):
    """Another living daemon holds this data directory."""


def ends_session(error: psycopg2.Error) -> bool:
    """The server hangs up after this one, even if the driver hasn't noticed yet."""
    return error.diag.severity_nonlocalized in _ENDS_SESSION


def of_statement(error: psycopg2.Error, *, connection_lost: bool) -> DatabaseError:
    """Translate what the driver raised once the statements were under way.

    An ERROR rolls back for sure; when the session ended, the commit may have come before its end.
    """
    state = error.pgcode or ""
    message = error.diag.message_primary or str(error).partition("\n")[0]
    if connection_lost or state == codes.STATEMENT_COMPLETION_UNKNOWN:
        return OutcomeUnknown(message or "connection lost")
    if state in _CANCELLED:
        return StatementTimedOut(message)
    return StatementFailed(state, error.diag.constraint_name, message, error.diag.message_detail)
