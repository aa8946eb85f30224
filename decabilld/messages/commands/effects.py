"""The end of effects that change nothing else."""

from decabilld.domain import entities as e
from decabilld.domain.entities import Id
from decabilld.messages.decision import Command, Need


class ConfirmEffectDone(Command, frozen=True, kw_only=True):
    """Outcome of an effect whose success changes nothing else (a document was rendered)."""


class GiveUpEffect(Command, frozen=True, kw_only=True):
    """An effect has failed for the last time: say so in the journal."""

    effect_id: Id
    effect_kind: str
    reason: str
    invoice_id: Id | None = None
    user_id: Id | None = None

    def needs(self) -> tuple[Need, ...]:
        return ((e.Invoice, self.invoice_id),) if self.invoice_id else ()
