"""JSON files that carry a hash of what they say: one that was changed after it was written is not believed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from include.errors import NO_DESCRIPTOR, TitansError, refusal

_SEAL = b',\n "sha256": "'
_Model = TypeVar("_Model", bound=BaseModel)


class DamagedError(Exception):
    """A file that is there and cannot be believed. It never counts as absent."""


def seal(model: BaseModel) -> str:
    """The JSON of ``model``; its last field, ``sha256``, is the hash of all bytes before that field."""
    body = model.model_dump_json(indent=1).removesuffix("\n}")
    return f'{body}{_SEAL.decode()}{hashlib.sha256(body.encode()).hexdigest()}"\n}}'


def unseal(kind: type[_Model], data: bytes, *, needs_hash: bool = False) -> _Model:
    """The model that ``seal`` wrote.

    Args:
        needs_hash: whether a text without a hash is refused. Files of early versions have none.

    Raises:
        ValueError: it was changed or is damaged, or it is no such model.
    """
    if needs_hash or is_sealed(data):
        body, _, rest = data.rpartition(_SEAL)
        if rest != hashlib.sha256(body).hexdigest().encode() + b'"\n}':
            raise ValueError("it does not hash to what was written")
    elif b'"sha256"' in data:
        raise ValueError("it was written anew by something else")
    return kind.model_validate_json(data)


def is_sealed(data: bytes) -> bool:
    return _SEAL in data[-100:]


def read_sealed(kind: type[_Model], path: Path, *, needs_hash: bool = False) -> _Model:
    """The model in a file that ``seal`` wrote.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file.
        DamagedError: there is one, and it cannot be read or was changed; says why in a few words.
        TitansError: no file can be opened now, whatever is in it.
    """
    try:
        return unseal(kind, path.read_bytes(), needs_hash=needs_hash)
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise DamagedError("it is a link that leads nowhere") from error
        raise
    except OSError as error:
        if error.errno in NO_DESCRIPTOR:
            raise TitansError(refusal(error)) from error
        raise DamagedError(error.strerror or str(error)) from error
    except ValidationError as error:
        raise DamagedError(error.errors()[0]["msg"]) from error
    except ValueError as error:
        raise DamagedError(str(error)) from error
