"""What operators read of the business: no writing, a fixed number of queries, never two currencies
in one figure. Months and days are UTC, as billing's.

months.py      which months a report is about
revenue.py     what was invoiced, credited and collected, by plan
mrr.py         monthly recurring revenue, its movements, and churn
cost.py        what tenants cost, beside what they bring
ageing.py      what tenants owe, by how long it is past due
"""
