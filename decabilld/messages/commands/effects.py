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
    item_id: Id | None = None
    subscription_id: Id | None = None

    def needs(self) -> tuple[Need, ...]:
        named = (
            (e.Invoice, self.invoice_id),
            (e.Subscription, self.subscription_id),
            (e.SubscriptionItem, self.item_id),
        )
        return tuple((kind, entity_id) for kind, entity_id in named if entity_id is not None)
