"""What pages read of billing, ready to show. Every query about a tenant starts from it."""

from billing.selectors.customers import cards as cards
from billing.selectors.customers import currency_of as currency_of
from billing.selectors.extensions import pack_prices as pack_prices
from billing.selectors.extensions import packs as packs
from billing.selectors.extensions import takes_packs as takes_packs
from billing.selectors.issued import invoice_by_number as invoice_by_number
from billing.selectors.issued import invoice_row as invoice_row
from billing.selectors.issued import invoice_to_pay as invoice_to_pay
from billing.selectors.issued import invoices as invoices
from billing.selectors.issued import invoices_owed as invoices_owed
from billing.selectors.orders import order_by_uuid as order_by_uuid
from billing.selectors.orders import order_is_applied as order_is_applied
from billing.selectors.plans import PlanCard as PlanCard
from billing.selectors.plans import currency_choices as currency_choices
from billing.selectors.plans import plan_choices as plan_choices
from billing.selectors.plans import plans_on_sale as plans_on_sale
from billing.selectors.plans import plans_public as plans_public
from billing.selectors.plans import price_steps as price_steps
from billing.selectors.sign_up_requests import sign_up_request_of as sign_up_request_of
from billing.selectors.subscriptions import plan_change_to_come as plan_change_to_come
from billing.selectors.subscriptions import plan_order_waiting as plan_order_waiting
from billing.selectors.subscriptions import price_move_to_come as price_move_to_come
from billing.selectors.subscriptions import subscription_held as subscription_held
from billing.selectors.subscriptions import subscription_row as subscription_row
