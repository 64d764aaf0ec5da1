"""Jobs that died: their function was tried again and again, in vain."""

from datetime import datetime, timedelta

import structlog

from conversions import backend
from conversions.backend.jobs import job_failed
from tenants.models import ApiKeyVersion

log = structlog.get_logger(__name__)
KEPT_FOR = timedelta(days=7)  # as long as the functions keep what became of a job


def dead_jobs_poll(*, now: datetime) -> int:
    """Note the jobs among the dead letters as failed; return how many. Raise BackendError.

    A key that is not known here belongs to nobody who could ask; the log has the job all the same.
    """
    done = 0
    while results := backend.results_receive(queue=backend.DEAD_JOBS):
        for result in results:
            key_id, job = result.attributes.get("key", ""), result.attributes.get("request", "")
            log.error("job.died", job=job, key=key_id)
            version = (
                ApiKeyVersion.objects.select_related("api_key__tenant")
                .filter(gateway_id=key_id)
                .first()
            )
            if version is not None and job:
                tenant = str(version.api_key.tenant.uuid)
                job_failed(tenant=tenant, job=job, expires=int((now + KEPT_FOR).timestamp()))
            backend.result_delete(result=result)
            done += 1
    return done
