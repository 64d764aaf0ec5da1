"""The state machine's step before the fan-out: from a file and its tenant's presets to the work.

Only those presets count that were asked for, where some were, and that apply to such a file.
"""

import json
from typing import Any

from aws_lambda_powertools import Logger

from conversions.serverless.functions import planning, records

logger = Logger()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Take {source, presets: JSON}; return {units: [messages]}. There may be none to make, as of
    an upload that was deleted meanwhile.
    """
    source, presets = event["source"], json.loads(event["presets"])
    wanted = source.pop("requested", None)
    if wanted is not None:
        presets = [preset for preset in presets if preset["code"] in wanted]
    try:
        units = planning.plan(source=source, presets=presets, adds=False)
    except records.Deleted:
        units = []
    logger.info("planned", extra={"upload": source["upload"], "units": len(units)})
    return {"units": units}
