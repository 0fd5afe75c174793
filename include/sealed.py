"""JSON files that carry a hash of what they say: one that was changed after it was written is not believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from include.errors import NO_DESCRIPTOR, TitansError, refusal

_HASH = "sha256"
_Model = TypeVar("_Model", bound=BaseModel)


class DamagedError(Exception):
    """A file that is there and cannot be believed. It never counts as absent."""


def seal(model: BaseModel) -> str:
    """The JSON of ``model`` with the SHA-256 of its content as the last field."""
    content = model.model_dump(mode="json")
    return json.dumps({**content, _HASH: hash_of(content)}, indent=1)


def unseal(kind: type[_Model], data: bytes, *, needs_hash: bool = False) -> _Model:
    """The model that ``seal`` wrote.

    Args:
        needs_hash: whether a text without a hash is refused. Files of early versions have none.

    Raises:
        ValueError: it was changed or is damaged, or it is no such model.
    """
    try:
        content = json.loads(data)
    except RecursionError as error:
        raise ValueError("its brackets go too deep") from error
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # a damaged text is a wrong value, whatever its kind
    written = content.pop(_HASH, None)
    if (needs_hash or written is not None) and written != hash_of(content):
        raise ValueError("it does not hash to what was written")
    return kind.model_validate(content)


def read_sealed(kind: type[_Model], path: Path, *, needs_hash: bool = False) -> _Model:
    """The model in a file that ``seal`` wrote.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        DamagedError: there is one, and it cannot be read or was changed; says why in a few words.
        TitansError: no file can be opened now, whatever is in it.
    """
    try:
        return unseal(kind, path.read_bytes(), needs_hash=needs_hash)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        if error.errno in NO_DESCRIPTOR:
            raise TitansError(refusal(error)) from error
        raise DamagedError(error.strerror or str(error)) from error
    except ValueError as error:
        raise DamagedError(str(error).splitlines()[0]) from error


def hash_of(content: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever the order of its fields and the white space between them."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
