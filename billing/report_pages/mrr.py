"""Monthly recurring revenue, its movements and churn, as a page."""

from datetime import datetime

from django.utils.translation import gettext as _

from billing.report_pages.rows import by_currency, chart, newest_first, with_currency
from billing.report_tables import Column, Kind, Page, Section, Table
from billing.reports.months import Months
from billing.reports.mrr import Movement, MrrMonth, mrr_by_month
from billing.reports.revenue import usage_charges


def mrr_page(*, months: Months, now: datetime) -> Page:
    """Return monthly recurring revenue, its movements, and churn."""
    usage = usage_charges(months=months)
    rows = [
        _mrr_row(it) | {"usage": usage.get((it.currency, it.month), 0)}
        for it in mrr_by_month(months=months, now=now)
    ]
    month = Column("month", _("Month"), Kind.MONTH)
    moved = [Column(kind, label) for kind, label in _movements().items()]
    recurring = [
        Column("closing", _("MRR")),
        Column("customers_left", _("Paying tenants"), Kind.COUNT),
        Column("usage", _("Usage invoiced")),
    ]
    bridge = [Column("opening", _("MRR before")), *moved, Column("closing", _("MRR after"))]
    churn = [
        Column("customers", _("Tenants before"), Kind.COUNT),
        Column("new_customers", _("New"), Kind.COUNT),
        Column("churned_customers", _("Churned"), Kind.COUNT),
        Column("customer_churn", _("Tenant churn"), Kind.SHARE),
        Column("gross_churn", _("MRR churn, gross"), Kind.SHARE),
        Column("net_churn", _("MRR churn, net"), Kind.SHARE),
    ]
    parts = (
        (_("Monthly recurring revenue, %(currency)s"), recurring, [recurring[0], recurring[2]]),
        (_("Movements of MRR, %(currency)s"), bridge, moved),
        (_("Churn, %(currency)s"), churn, churn[3:]),
    )
    sections = [
        Section(
            title % {"currency": currency},
            Table([month, *columns], newest_first(of)),
            chart(of, charted),
        )
        for currency, of in by_currency(rows)
        for title, columns, charted in parts
    ]
    csv_columns = [month, *bridge, *recurring[1:], *churn]
    return Page(
        [
            _(
                "MRR is the sum of the monthly fees of paid subscriptions, those past due among"
                " them: without tax, trials, setup fees and what is charged by use, which is shown"
                " beside it, by the month of its invoice. This month is as of today."
            ),
            _(
                "Each change of a tenant’s fee is one movement, on its day: new for the first time,"
                " reactivation after churn, expansion up, contraction down, churn to nothing. MRR"
                " before and the movements are MRR after."
            ),
            _(
                "Tenant churn: those that churned ÷ those before and the new ones. MRR churn: churn"
                " and contraction ÷ MRR before; net of expansion and reactivation it can be below"
                " zero."
            ),
        ],
        lambda: sections,
        with_currency(csv_columns, rows),
        _(
            "No subscription had a fee in these months. MRR begins with the first plan that is"
            " paid for, once its trial is over."
        ),
    )


def _movements() -> dict[Movement, str]:
    return {
        Movement.NEW: _("New"),
        Movement.EXPANSION: _("Expansion"),
        Movement.REACTIVATION: _("Reactivation"),
        Movement.CONTRACTION: _("Contraction"),
        Movement.CHURN: _("Churn"),
    }


def _mrr_row(of: MrrMonth) -> dict[str, object]:
    properties = (
        "month", "currency", "opening", "closing", "customers", "customers_left",
        "customer_churn", "gross_churn", "net_churn",
    )  # fmt: skip
    return {
        **{name: getattr(of, name) for name in properties},
        **{kind: of.changes[kind] for kind in Movement},
        "new_customers": of.counts[Movement.NEW],
        "churned_customers": of.counts[Movement.CHURN],
    }
