"""The unit costs of a new installation: AWS's list prices in us-east-1.

They are those of AWS's price list API (AWSLambda and AmazonApiGateway), as published copies had
them in October 2025. The pages that the rows name, in copies of the 20th of September 2026, still
have the prices of requests in their examples, and the free tiers; their tables are filled in by the
browser. Nothing was read from AWS itself: an operator compares the rows with these pages.
"""

from datetime import date
from decimal import Decimal

from billing.models import CostUnit, UnitCost

_REGION = "us-east-1"
_SINCE = date(2020, 12, 1)  # when Lambda began to bill by the millisecond
_READ = "a copy of the 20th of September 2026: compare it"
_SEEDS = (
    (
        CostUnit.GATEWAY_REQUESTS, "0.0000035", 0,
        "https://aws.amazon.com/api-gateway/pricing/ REST, first 333 million a month; no free tier"
        " after 12 months",
    ),
    (
        CostUnit.LAMBDA_REQUESTS, "0.0000002", 1_000_000,
        "https://aws.amazon.com/lambda/pricing/",
    ),
    (
        CostUnit.LAMBDA_GB_SECONDS, "0.0000166667", 400_000,
        "https://aws.amazon.com/lambda/pricing/ x86, up to 6 billion a month; Arm is 0.0000133334",
    ),
)  # fmt: skip


def unit_costs_seed() -> None:
    """Write the prices, where there are none yet."""
    if UnitCost.objects.exists():
        return
    UnitCost.objects.bulk_create(
        UnitCost(
            unit=unit, price=Decimal(price), free=free, region=_REGION,
            source=f"{source}, {_READ}", valid_from=_SINCE,
        )
        for unit, price, free, source in _SEEDS
    )  # fmt: skip
