"""JSON files that carry a hash of what they say: one that was changed after it was written is not believed."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

from pydantic import BaseModel

_HASH = "sha256"
_Model = TypeVar("_Model", bound=BaseModel)


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
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004  # a damaged text is a wrong value, whatever its kind
    written = content.pop(_HASH, None)
    if (needs_hash or written is not None) and written != hash_of(content):
        raise ValueError("it does not hash to what was written")
    return kind.model_validate(content)


def hash_of(content: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever the order of its fields and the white space between them."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
