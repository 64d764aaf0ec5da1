"""The live meter's figures: what the gateway's access log said, seconds after the calls.

Best-effort: a log may lose lines, so nothing is billed from these rows. They make pages live, and
our uncertainty about a key's use small (tenants/leases.py). tenants/services/live.py writes them.
"""

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.models.keys import ApiKeyVersion


class LiveMinute(models.Model):
    """What one version called on one route within one UTC minute. Kept for a few days.

    `requests` are those that count for the quota, and of those `client_errors` (4xx) and
    `server_errors` (5xx), the sum of their `latency_ms`, and `latency_buckets`: how many took at
    most so many milliseconds, and more than the limit before, as {"25": 3, "50": 1}. What the
    gateway itself refused counts for no quota, and is told by its reason. `bytes` are those of all
    answers.
    """

    version = models.ForeignKey(
        ApiKeyVersion, on_delete=models.CASCADE, related_name="live_minutes"
    )
    minute = models.DateTimeField(_("minute"))
    route = models.CharField(_("route"), max_length=255)
    requests = models.PositiveBigIntegerField(_("requests"), default=0)
    client_errors = models.PositiveBigIntegerField(_("client errors"), default=0)
    server_errors = models.PositiveBigIntegerField(_("server errors"), default=0)
    throttled = models.PositiveBigIntegerField(_("throttled"), default=0)
    quota_refused = models.PositiveBigIntegerField(_("refused over the quota"), default=0)
    other_refused = models.PositiveBigIntegerField(_("refused otherwise"), default=0)
    latency_ms = models.PositiveBigIntegerField(_("latency in sum (ms)"), default=0)
    latency_buckets = models.JSONField(_("latency by limit (ms)"), default=dict)
    bytes = models.PositiveBigIntegerField(_("bytes"), default=0)

    class Meta:
        verbose_name = _("live minute")
        verbose_name_plural = _("live minutes")
        ordering = ["-minute"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "minute", "route"], name="live_minute_per_version_and_route"
            )
        ]
        indexes = [models.Index(fields=["minute"], name="live_minute_by_minute")]

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M} {self.route}: {self.requests}"


class LiveDay(models.Model):
    """A version's minutes of one UTC day, added up. It outlives them.

    `requests` are those that count for the quota; `refused` are all that the gateway refused but
    for being `throttled`. `billed` is what GetUsage said of the day, None until that has settled.
    """

    version = models.ForeignKey(
        ApiKeyVersion,
        on_delete=models.CASCADE,
        related_name="live_days",
        verbose_name=_("key version"),
    )
    day = models.DateField(_("day (UTC)"))
    requests = models.PositiveBigIntegerField(_("requests"))
    throttled = models.PositiveBigIntegerField(_("throttled"))
    refused = models.PositiveBigIntegerField(_("refused"))
    billed = models.PositiveBigIntegerField(_("billed"), null=True)

    class Meta:
        verbose_name = _("live day")
        verbose_name_plural = _("live days")
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(fields=["version", "day"], name="live_day_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.day}: {self.requests}"

    @property
    def difference(self) -> int | None:
        """How many more the meter counted than were billed; None until that has settled."""
        return None if self.billed is None else self.requests - self.billed

    @property
    def differs(self) -> bool:
        """Whether the two are so far apart that an operator should look: 1 % and 10 requests."""
        return self.billed is not None and abs(self.requests - self.billed) > max(
            10, self.billed // 100
        )


class LiveMeter(models.Model):
    """How far the meter has come: one row, none before it was first seen.

    `newest_at` is the time of the newest line that it has counted, of whichever caller; `read_to`
    the moment up to which its minutes are in our rows. Since `complete_since` no minute has been
    left out: what was called before may be missing, as before the meter's first line, or where the
    portal was away for longer than minutes can be read back.
    """

    ONLY = 1  # the row's primary key

    newest_at = models.DateTimeField(_("newest line"))
    read_to = models.DateTimeField(_("read up to"))
    complete_since = models.DateTimeField(_("complete since"))

    class Meta:
        verbose_name = _("live meter")
        verbose_name_plural = _("live meter")

    def __str__(self) -> str:
        return f"{self.come_to:%Y-%m-%d %H:%M:%S}"

    @property
    def come_to(self) -> datetime:
        """The moment up to which our rows have what was called, late lines aside."""
        return min(self.newest_at, self.read_to)
