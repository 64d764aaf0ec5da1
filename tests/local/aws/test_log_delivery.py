"""Lines are delivered apart from the calls that they tell of, however slow CloudWatch is."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from portal.local.aws.log_delivery import (
    BATCH_LINES,
    MOST_LINES,
    DeliveryFailed,
    Destination,
    Line,
    LogDelivery,
)

HERE = Destination("us-east-1", "here", "stream")
THERE = Destination("us-east-1", "there", "stream")


class CloudWatch:
    """Takes batches once it is `ready`; refuses those of `refuses`."""

    def __init__(self, refuses: Destination | None = None) -> None:
        self.ready = asyncio.Event()
        self.asked = asyncio.Event()
        self.batches: list[tuple[Destination, list[str]]] = []
        self._refuses = refuses

    async def put(self, destination: Destination, lines: Sequence[Line]) -> None:
        self.asked.set()
        await self.ready.wait()
        if destination == self._refuses:
            raise DeliveryFailed("ResourceNotFoundException")
        self.batches.append((destination, [line.text for line in lines]))

    def texts(self) -> list[str]:
        return [text for _, texts in self.batches for text in texts]


def test_lines_come_in_order_and_in_batches() -> None:
    async def main() -> CloudWatch:
        cloudwatch = CloudWatch()
        cloudwatch.ready.set()
        delivery = LogDelivery(cloudwatch.put)
        for number in range(2 * BATCH_LINES + 1):
            delivery.add(Line(HERE, 0, str(number)))
        delivery.add(Line(THERE, 0, "other"))
        await delivery.close()
        return cloudwatch

    cloudwatch = asyncio.run(main())
    sizes = [(place.group, len(texts)) for place, texts in cloudwatch.batches]
    assert sizes == [("here", BATCH_LINES), ("here", BATCH_LINES), ("here", 1), ("there", 1)]
    assert cloudwatch.texts() == [*map(str, range(2 * BATCH_LINES + 1)), "other"]


def test_they_come_without_the_server_stopping_and_go_on_coming() -> None:
    async def main() -> None:
        cloudwatch = CloudWatch()
        cloudwatch.ready.set()
        delivery = LogDelivery(cloudwatch.put)
        for number in range(2):
            cloudwatch.asked.clear()
            delivery.add(Line(HERE, 0, str(number)))
            await asyncio.wait_for(cloudwatch.asked.wait(), 30)
        await delivery.close()
        assert cloudwatch.texts() == ["0", "1"]

    asyncio.run(main())


def test_a_slow_cloudwatch_costs_lines_and_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> CloudWatch:
        cloudwatch = CloudWatch()
        delivery = LogDelivery(cloudwatch.put)
        delivery.add(Line(HERE, 0, "first"))
        await asyncio.wait_for(cloudwatch.asked.wait(), 30)
        for number in range(MOST_LINES + 10):  # returns at once, though nothing is taken
            delivery.add(Line(HERE, 0, str(number)))
        cloudwatch.ready.set()
        await delivery.close()
        return cloudwatch

    with caplog.at_level(logging.WARNING):
        cloudwatch = asyncio.run(main())
    assert cloudwatch.texts() == ["first", *map(str, range(MOST_LINES))]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "dropped" in caplog.text


def test_a_batch_that_is_refused_holds_no_other_up(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> CloudWatch:
        cloudwatch = CloudWatch(refuses=HERE)
        cloudwatch.ready.set()
        delivery = LogDelivery(cloudwatch.put)
        delivery.add(Line(HERE, 0, "lost"))
        delivery.add(Line(THERE, 0, "kept"))
        await delivery.close()
        return cloudwatch

    assert asyncio.run(main()).texts() == ["kept"]
    assert "1 lines" in caplog.text
