"""What ministack keeps when it stops, a file for each of its services: all of them, or none.

Killed while it writes them, it would come back with files of two moments: an API that no stack
knows, or a stack whose API is gone; no deployment gets past either. Nor does anybody go on with a
stack that was being made. Then it starts afresh, as it does when it is killed in its first run: a
deployment makes everything anew. What is in S3 is kept elsewhere, and stays.
"""

import re
import shutil
from pathlib import Path

_BUSY = re.compile(r'"StackStatus": "(?!REVIEW_)\w+_IN_PROGRESS"')


class Saved:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mark = directory / "incomplete"

    def check(self) -> None:
        """Forget what was not saved whole; before ministack reads it."""
        if self._mark.exists() or self._is_stack_half_made():
            shutil.rmtree(self._directory)

    def begin(self) -> None:
        """Note that the files are about to be written."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._mark.touch()

    def finish(self) -> None:
        """Note that they have been."""
        self._mark.unlink(missing_ok=True)

    def _is_stack_half_made(self) -> bool:
        stacks = self._directory / "cloudformation.json"
        return stacks.exists() and _BUSY.search(stacks.read_text("utf-8")) is not None
