"""The operators' reports as pages: what billing/reports reads, in tables, charts and words."""

from billing.report_pages.ageing import ageing_page
from billing.report_pages.cost import cost_page
from billing.report_pages.mrr import mrr_page
from billing.report_pages.revenue import revenue_page

__all__ = ["ageing_page", "cost_page", "mrr_page", "revenue_page"]
