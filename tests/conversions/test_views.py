"""Deliveries are added up in batches as large as the gateway lets them become."""

import pytest

from conversions import backend
from conversions.serverless.functions import views
from tests.conversions.deliveries import deliveries_of, publish

MOST_EVENTS = 40  # of one call

pytestmark = pytest.mark.usefixtures("on_lambda")


def test_more_places_than_one_read_and_one_message_take_are_all_reported(key_id: str) -> None:
    tenant = publish(key_id)
    presets = [f"p{number}" for number in range(views.MOST_READ + 5)]
    calls = [presets[start : start + MOST_EVENTS] for start in range(0, len(presets), MOST_EVENTS)]
    batch = [
        record
        for number, call in enumerate([*calls, presets[:3]])
        for record in deliveries_of(key_id, *call, call=str(number))["Records"]
    ]
    views.handler({"Records": batch}, None)
    totals: dict[str, int] = {}
    while len(totals) < len(presets) and (reports := backend.results_receive(wait_seconds=1)):
        for report in reports:
            if report.body["tenant"] == tenant:
                totals[report.body["preset"]] = report.body["views"]
            backend.result_delete(result=report)
    assert totals == {preset: 2 if preset in presets[:3] else 1 for preset in presets}
