"""Where the live table has what, for the function that writes it and for the portal that reads it.

    pk minute#<UTC minute>#<shard>  sk <key id>#<method> <route>   what was called within it
    pk day#<key id>                 sk <UTC day>                   requests that count for the quota
    pk meter                        sk reach                       from when to when the log goes

Of a minute's item the attributes are counts: `requests` (that count for the quota), refusals by
type (`throttled`, `quota`, `other`), `client_errors`, `server_errors`, `ms` and `bytes` in sum, and
`ms_<limit>`: how many took at most so many milliseconds (and more than the limit before). The reach
has the `oldest` and the `newest` line's time, in milliseconds since the epoch.
"""

from datetime import datetime
from zlib import crc32

SHARDS = 4  # of a minute: a partition of DynamoDB takes 1,000 writes a second
REACH = {"pk": "meter", "sk": "reach"}


def minute_partition(minute: datetime, shard: int) -> str:
    """Return the partition with a shard of a minute, which is in UTC."""
    return f"minute#{minute:%Y-%m-%dT%H:%M}#{shard}"


def shard_of(key_id: str) -> int:
    """Return the shard that a key's calls are in."""
    return crc32(key_id.encode()) % SHARDS
