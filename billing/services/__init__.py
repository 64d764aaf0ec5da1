"""Everything that changes the rows of this app.

catalog.py    seed, and set prices
sign_up.py    a new tenant with its subscription, and what it has to pay first
starting.py   the same for somebody who may own one already
sign_up_requests.py
              sign-ups that wait for an operator
orders.py     buy: write the order, renew its offer
fulfilment.py what Stripe says of an order becomes what it is
order_refunds.py pay back what an order brought in that cannot be kept
taking_back.py packs that are given back
top_up.py, top_up_all.py
              buy packs by themselves, to the saved card
offers.py     what a change of plan means today, and what it costs
fees_paid.py  what of the rest of a month is paid already
plan_changes.py, changes.py
              change plan: at once or at the month's end; make the changes that are due
price_moves.py, trials.py
              move to the newest price, with notice; say that a trial ends
subscriptions.py
              one subscription ends, another begins
checkout.py   bring an order to Stripe's Checkout and look what became of it
events.py     Stripe's webhooks, stored once and processed in any order
look_ups.py   what they are about, as Stripe has it now
missed_events.py, missed_disputes.py
              events and disputes that were never told
stripe_lists.py, cursors.py
              store what we lack of Stripe's lists; how far those were read
ledger.py     the books: each event once, debits and credits
invoices.py   issue an invoice
receipts.py   money that comes in for an invoice
creditable.py what is left of an invoice, that can be credited
credit_notes.py invoices below zero, that take back what one said
refunds.py    pay back to cards
adopted_refunds.py refunds that were made at Stripe
set_offs.py   nobody is paid back twice
intents.py    what of ours a PaymentIntent has paid
disputes.py, dispute_moves.py
              payments that their cardholders dispute; what that moves
balance.py    Stripe's balance transactions: fees, payouts, exchanges
reconcile.py  compare with Stripe every night
credit.py     spend what a tenant has with us
bank.py       record transfers
locks.py      what is locked, in which order
issuing.py    the same for many at once
numbers.py    their numbers, without gaps
fee_lines.py  lines of fees
close_month.py the month's close: its batches, and what becomes of one that fails
close_batch.py one batch: read all, reckon, write all
close_due.py  what is due of it
close_read.py  who is due, and their terms
forecast.py   what is to be billed, so far and likely
caps.py       spending caps, as requests
caps_sweep.py those that something has made wrong
spending_alerts.py
              tell of what a month costs, against the cap and amounts of the tenant's
cap_set.py    set a cap, and lift it
corrections.py closed months that the gateway told otherwise later
correction_lines.py
              their differences, on the next usage invoice
corrections_settle.py
              or on a supplement, or credit notes, where none is to come
close_settle.py when a month's usage has settled
collect.py    charge an open invoice to the saved card
loose_attempts.py what could still pay an invoice that is settled
collect_all.py charge all of them
taxes.py      seed rates, keep tenants' tax details, an invoice's taxes as rows
vies.py       VAT numbers: store what VIES says, and have it asked
attempts.py   attempts to pay an invoice by card, and what Stripe says of each
pay.py        pay an open invoice at Checkout
cases.py      open, pause, give up and close the dunning of an invoice
dunning.py    take the steps of the schedule that are due
cards.py      saved cards: the one that is charged, and removed ones
"""

from billing.services.cap_set import cap_lift, cap_set
from billing.services.caps_sweep import caps_sweep
from billing.services.cards import card_detach, card_make_default, card_remove
from billing.services.cases import case_give_up, case_pause
from billing.services.catalog import price_set, seed
from billing.services.changes import changes_apply
from billing.services.checkout import checkout_start, order_check
from billing.services.close_month import close_month, months_missed
from billing.services.collect import attempt_end, invoice_collect, invoice_retry
from billing.services.collect_all import collect
from billing.services.corrections import months_correct
from billing.services.dunning import dun
from billing.services.events import event_ignore, event_process, webhook_receive
from billing.services.fees_paid import rest_paid
from billing.services.forecast import Forecast, forecast
from billing.services.offers import FREE, Offer, has_card
from billing.services.order_refunds import order_refund
from billing.services.orders import card_order, extension_order
from billing.services.pay import invoice_check, invoice_checkout
from billing.services.plan_changes import plan_change, plan_keep, plan_offer
from billing.services.plan_orders import plan_order_today
from billing.services.price_moves import (
    price_move_first_day,
    price_move_withdraw,
    price_moves_schedule,
)
from billing.services.reconcile import reconcile
from billing.services.sign_up import SignUp, sign_up
from billing.services.sign_up_requests import (
    sign_up_request_approve,
    sign_up_request_create,
    sign_up_request_refuse,
    sign_up_requests_submit,
)
from billing.services.starting import OwnsFree, organisation_start, organisation_start_check
from billing.services.taking_back import order_take_back
from billing.services.top_up import auto_top_up_set, auto_top_up_stop
from billing.services.top_up_all import top_ups_run

__all__ = [
    "FREE",
    "Forecast",
    "Offer",
    "OwnsFree",
    "SignUp",
    "attempt_end",
    "auto_top_up_set",
    "auto_top_up_stop",
    "cap_lift",
    "cap_set",
    "caps_sweep",
    "card_detach",
    "card_make_default",
    "card_order",
    "card_remove",
    "case_give_up",
    "case_pause",
    "changes_apply",
    "checkout_start",
    "close_month",
    "collect",
    "dun",
    "event_ignore",
    "event_process",
    "extension_order",
    "forecast",
    "has_card",
    "invoice_check",
    "invoice_checkout",
    "invoice_collect",
    "invoice_retry",
    "months_correct",
    "months_missed",
    "order_check",
    "order_refund",
    "order_take_back",
    "organisation_start",
    "organisation_start_check",
    "plan_change",
    "plan_keep",
    "plan_offer",
    "plan_order_today",
    "price_move_first_day",
    "price_move_withdraw",
    "price_moves_schedule",
    "price_set",
    "reconcile",
    "rest_paid",
    "seed",
    "sign_up",
    "sign_up_request_approve",
    "sign_up_request_create",
    "sign_up_request_refuse",
    "sign_up_requests_submit",
    "top_ups_run",
    "webhook_receive",
]
