"""What the live meter says: figures on their way from the backend into our rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class LiveCounts:
    """What one key called on one route within one UTC minute, as LiveMinute has it.

    Figures are absolute: the next reading of the same minute repeats them, or has more.
    """

    gateway_id: str
    minute: datetime
    route: str
    requests: int = 0
    client_errors: int = 0
    server_errors: int = 0
    throttled: int = 0
    quota_refused: int = 0
    other_refused: int = 0
    latency_ms: int = 0
    latency_buckets: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
