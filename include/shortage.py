"""Running out of memory or disk, as a sentence that says what to set or to free."""

from __future__ import annotations

import errno
import os

from include.errors import Runbook, TitansError
from include.limits import machine_memory, size_text
from include.paths import StorePaths

_OUT_OF_MEMORY = ("Out of Memory Error", "std::bad_alloc")
_FULL_DISK = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "max_temp_directory_size")
_FILE_TOO_LARGE = os.strerror(errno.EFBIG)


def shortage(error: BaseException | str, what: str, store: StorePaths) -> TitansError | None:
    """The sentence about work on ``store`` that ran out of memory or of disk; None where the error is another one.

    Args:
        error: of DuckDB or Python, or the message of a library that quotes it.
        what: the step, model or check, as the subject of the sentence.
    """
    text, limit = str(error), size_text(store.limits.memory)
    untouched = "What was published is untouched, and nothing stored is lost."
    if any(sign in text for sign in _FULL_DISK):
        room = max(store.warehouse.stat().st_size if store.warehouse.exists() else 0, store.limits.memory)
        return TitansError(
            f"{what} filled the disk: free {size_text(room)} in {store.warehouse.parent}, or set TITANS_MEMORY_LIMIT "
            f"above {limit} so that less goes to the disk, then run again. {untouched}",
            Runbook.OUT_OF_MEMORY,
        )
    if _FILE_TOO_LARGE in text:
        return TitansError(
            f"{what} wrote a file that grew larger than this process may write, or than the file system takes: raise "
            f"the limit (ulimit -f), or give DATA=<a folder on a file system without one>, then run again. {untouched}",
            Runbook.OUT_OF_MEMORY,
        )
    if isinstance(error, MemoryError) or any(sign in text for sign in _OUT_OF_MEMORY):
        return TitansError(
            f"{what} ran out of memory: set TITANS_MEMORY_LIMIT above {limit} (there are "
            f"{size_text(machine_memory())} here) or lower TITANS_THREADS, then run again. {untouched}",
            Runbook.OUT_OF_MEMORY,
        )
    return None
