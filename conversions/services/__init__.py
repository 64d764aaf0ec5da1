"""Everything that changes the rows of this app. Keyword-only, named entity_action.

presets.py    how variants are made        watermarks.py   what is laid over them
remakes.py    a preset's variants of old uploads
uploads.py    a file that is to come, and its end
sharing.py    who may see an upload, and what of that the functions are told
links.py      links to its variants that end
results.py    what the functions report
compute.py    what their work took, of that
progress.py   how far an upload is, from that
jobs.py       jobs that died
edge.py       what the functions know of keys and tenants
leaving.py    the files of a tenant that leaves
live.py       what the live meter has counted
retention.py  how long files are kept, and their end
"""

from conversions.services.compute import compute_prune
from conversions.services.edge import (
    edge_sweep,
    edge_verify,
    key_publish,
    tenant_publish,
)
from conversions.services.jobs import dead_jobs_poll
from conversions.services.leaving import leaving_sweep
from conversions.services.links import LIFETIMES, links_create
from conversions.services.live import live_poll, live_probe
from conversions.services.presets import preset_save, presets_seed
from conversions.services.remakes import (
    remake_advance,
    remake_cancel,
    remake_start,
    remakes_abandoned,
    remakes_settle,
)
from conversions.services.results import result_apply, results_poll, work_died
from conversions.services.retention import (
    lifecycle_apply,
    retention_delete,
    retention_save,
    retention_sweep,
    retentions_seed,
)
from conversions.services.sharing import upload_publish, uploads_tell
from conversions.services.uploads import (
    UNDO_FOR,
    upload_create,
    upload_delete,
    upload_restore,
    upload_retry,
    uploads_sweep,
)

__all__ = [
    "LIFETIMES",
    "UNDO_FOR",
    "compute_prune",
    "dead_jobs_poll",
    "edge_sweep",
    "edge_verify",
    "key_publish",
    "leaving_sweep",
    "lifecycle_apply",
    "links_create",
    "live_poll",
    "live_probe",
    "preset_save",
    "presets_seed",
    "remake_advance",
    "remake_cancel",
    "remake_start",
    "remakes_abandoned",
    "remakes_settle",
    "result_apply",
    "results_poll",
    "retention_delete",
    "retention_save",
    "retention_sweep",
    "retentions_seed",
    "tenant_publish",
    "upload_create",
    "upload_delete",
    "upload_publish",
    "upload_restore",
    "upload_retry",
    "uploads_sweep",
    "uploads_tell",
    "work_died",
]
