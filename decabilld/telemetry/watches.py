"""Hands what is told of requests, turns and effects to all who watch."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from decabilld.actors.watch import Attempt, Turn, Watch
from decabilld.http.observation import RequestWatch


class Watcher(Watch, RequestWatch, Protocol):
    """Somebody who is told of everything."""


class Watches:
    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def came(self, correlation_id: str, traceparent: str | None) -> None:
        for watcher in self._watchers:
            if watcher.came is not None:
                watcher.came(correlation_id, traceparent)

    def answered(self, request: web.Request, status: int, correlation_id: str, seconds: float) -> None:
        for watcher in self._watchers:
            watcher.answered(request, status, correlation_id, seconds)

    def turned(self, turn: Turn) -> None:
        for watcher in self._watchers:
            watcher.turned(turn)

    def attempted(self, attempt: Attempt) -> None:
        for watcher in self._watchers:
            watcher.attempted(attempt)
