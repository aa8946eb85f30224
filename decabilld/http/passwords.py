"""Passwords: argon2id hashes, made and checked beside the loop, two at a time; bcrypt's are checked, too."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from decabilld.actors.ports import Busy

MEMORY_KIB = 19_456
THREADS = 2
WAITING_MAX = 64
"""At some 20 ms each the last in line waits well under its deadline."""
BCRYPT = ("$2a$", "$2b$")
BCRYPT_BYTES = 72
"""bcrypt never looked further; those who hashed longer passwords cut them off there."""
T = TypeVar("T")


class Passwords:
    """argon2id with t=2, m=19 MiB, p=1 (OWASP's recommendation)."""

    def __init__(self, memory_kib: int = MEMORY_KIB) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobodys_hash = self._hasher.hash("nobody's")

    async def hash_password(self, password: str) -> str:
        """The encoded hash, with its salt and parameters. Raises Busy when too many wait."""
        return await self._beside(lambda: self._hasher.hash(password))

    async def verify_password(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the password; for no hash (no such user) False after the same work. Raises Busy."""
        matches = await self._beside(lambda: self._matches(password_hash or self._nobodys_hash, password))
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it is of another kind than we make now."""
        return password_hash.startswith(BCRYPT) or self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            if password_hash.startswith(BCRYPT):
                return bcrypt.checkpw(password.encode()[:BCRYPT_BYTES], password_hash.encode())
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError, ValueError):
            return False

    async def _beside(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING_MAX:
            raise Busy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
