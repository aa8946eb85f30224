"""One-time codes: made here, known to the tenant only as a keyed digest."""

import hashlib
import hmac
import secrets
import string

CODE_LENGTH = 6
_SIGNS = string.ascii_uppercase + string.digits


def new_code() -> str:
    """Six letters and digits, as the contract has it: 31 bits, enough for five tries within the hour."""
    return "".join(secrets.choice(_SIGNS) for _ in range(CODE_LENGTH))


def code_digest(key: bytes, tenant_id: str, code: str) -> str:
    """What is kept of a code. Without the key all two billion codes would soon be tried."""
    return hmac.new(key, f"{tenant_id}\x1f{code}".encode(), hashlib.sha256).hexdigest()
