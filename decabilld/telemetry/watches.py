"""Hands what is told of requests, turns and effects to those who watch: metrics, and traces where there are any."""

from decabilld.actors.watch import Attempt, Turn
from decabilld.http.observation import Answered
from decabilld.telemetry.metrics import Metrics


class Watches:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def came(self, correlation_id: str, traceparent: str | None) -> None:
        return

    def answered(self, answered: Answered) -> None:
        self._metrics.requested(answered.method, answered.route, answered.status, answered.ended - answered.began)

    def turned(self, turn: Turn) -> None:
        self._metrics.turned(turn)

    def attempted(self, attempt: Attempt) -> None:
        self._metrics.attempted(attempt)
