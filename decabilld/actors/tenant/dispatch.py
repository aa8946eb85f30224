"""Which handler decides which command: one table. A command without a line here can't be asked for."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from decabilld.actors.tenant.handlers import (
    backorders,
    billing,
    catalog,
    effects,
    identity,
    invoices,
    manual_invoices,
    orphans,
    payment_events,
    payment_reconciliation,
    payments,
    processor_customers,
    profiles,
    servers,
    subscription_invoices,
    subscriptions,
    timetable,
    usage,
    user_import,
    users,
)
from decabilld.actors.tenant.state import TenantState
from decabilld.domain.entities import Subscription, Timetable
from decabilld.domain.policy import BillingPolicy
from decabilld.domain.refusals import Invalid
from decabilld.messages import commands as c
from decabilld.messages.decision import Command, Context, Decision

Handler = Callable[[TenantState, Any, Context], Decision]

HANDLERS: dict[type[Command], Handler] = {
    c.RegisterUser: identity.register_user,
    c.ConfirmEmail: identity.confirm_email,
    c.RequestPasswordReset: identity.request_password_reset,
    c.ResetPassword: identity.reset_password,
    c.ChangePassword: identity.change_password,
    c.RenewPasswordHash: identity.renew_password_hash,
    c.EndSession: identity.end_session,
    c.EndAllSessions: identity.end_all_sessions,
    c.CreateUser: users.create_user,
    c.UpdateUser: users.update_user,
    c.LockUser: users.lock_user,
    c.UnlockUser: users.unlock_user,
    c.DeleteUser: users.delete_user,
    c.AdmitSubject: users.admit_subject,
    c.ImportUsers: user_import.import_users,
    c.CreateServiceType: catalog.create_service_type,
    c.UpdateServiceType: catalog.update_service_type,
    c.DeleteServiceType: catalog.delete_service_type,
    c.CreateServicePlan: catalog.create_service_plan,
    c.UpdateServicePlan: catalog.update_service_plan,
    c.DeleteServicePlan: catalog.delete_service_plan,
    c.UpdateCustomerProfile: profiles.update_customer_profile,
    c.CreateCustomerProfile: profiles.create_customer_profile,
    c.DeleteCustomerProfile: profiles.delete_customer_profile,
    c.OrderSubscription: subscriptions.order_subscription,
    c.CancelSubscription: subscriptions.cancel_subscription,
    c.ResumeSubscription: subscriptions.resume_subscription,
    c.SwitchItem: servers.switch_item,
    c.ConfirmServerCreated: servers.confirm_server_created,
    c.ConfirmServerAddress: servers.confirm_server_address,
    c.ConfirmNamePublished: servers.confirm_name_published,
    c.ConfirmServerRefused: servers.confirm_server_refused,
    c.ConfirmServerRemoved: servers.confirm_server_removed,
    c.ConfirmSwitched: servers.confirm_switched,
    c.ReportVanishedServer: servers.report_vanished_server,
    c.ReportReturnedServer: servers.report_returned_server,
    c.ReportStackUpdate: servers.report_stack_update,
    c.RetryBackorder: backorders.retry_backorder,
    c.CancelBackorder: backorders.cancel_backorder,
    c.ReportOrphan: orphans.report_orphan,
    c.ForgetOrphan: orphans.forget_orphan,
    c.RecordUsage: usage.record_usage,
    c.CreateManualInvoice: manual_invoices.create_manual_invoice,
    c.UpdateManualInvoice: manual_invoices.update_manual_invoice,
    c.DeleteManualInvoice: manual_invoices.delete_manual_invoice,
    c.IssueManualInvoice: manual_invoices.issue_manual_invoice,
    c.InvoiceSubscription: subscription_invoices.invoice_subscription,
    c.VoidInvoice: invoices.void_invoice,
    c.MarkInvoicePaid: invoices.mark_invoice_paid,
    c.MarkInvoiceUnpaid: invoices.mark_invoice_unpaid,
    c.InitiatePayment: payments.initiate_payment,
    c.ConfirmCheckoutOpened: payments.confirm_checkout_opened,
    c.ConfirmCheckoutFailed: payments.confirm_checkout_failed,
    c.ConfirmCustomerUpdated: processor_customers.confirm_customer_updated,
    c.ApplyPaymentEvent: payment_events.apply_payment_event,
    c.RecordReversal: payment_events.record_reversal,
    c.ReconcilePayments: payment_reconciliation.reconcile_payments,
    c.AskPayment: payment_reconciliation.ask_payment,
    c.ConfirmCheckoutMissing: payment_reconciliation.confirm_checkout_missing,
    c.StartBillNow: billing.start_bill_now,
    c.OpenTimetable: timetable.open_timetable,
    c.DoDueWork: timetable.do_due_work,
    c.MoveTestClock: timetable.move_test_clock,
    c.ConfirmEffectDone: effects.confirm_effect_done,
    c.GiveUpEffect: effects.give_up_effect,
}


def decide(state: TenantState, command: Command, context: Context) -> Decision:
    """The decision on one command. Raises a Refusal; anything else that it raises is a bug."""
    return HANDLERS[type(command)](state, command, context)


def opening_commands(state: TenantState, policy: BillingPolicy) -> list[Command]:
    """What an actor that has loaded decides before anybody may ask it. Raises Invalid if it must not go on at all."""
    for known in state.all(Timetable).values():
        if known.test_clock is not None and not policy.test_clock:
            raise Invalid("this tenant lives on a test clock; start with TEST_CLOCK=true")
        if known.zone == policy.zone.key:
            return []
        if state.all(Subscription) or state.ended:
            raise Invalid(f"this tenant's periods are counted in BILLING_TIMEZONE={known.zone}; set it so")
    return [c.OpenTimetable()]


def catch_up() -> Command:
    """What an actor asks itself next: all that fell due while it wasn't there, and runs that were under way."""
    return c.DoDueWork()


def due_since(state: TenantState, policy: BillingPolicy) -> datetime:
    """When the oldest work that isn't done yet fell due; in the future if nothing is late."""
    return timetable.next_due_instant(state, policy)
