"""The secrets of the server in ``docker-compose.yml``: generated once into ``.env``, and the login file made from them.

``python -m titans.server_env`` writes ``.env``. With the argument ``passwords`` it runs in the ``init`` container.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from pathlib import Path

from include.errors import TitansError
from include.files import write_whole
from include.settings import PROJECT_ROOT

IMAGE_UID = 50000
"""User and group of the containers where root runs ``make env``; the Dockerfile has the same default."""
MOUNTED_FOLDERS = ("data", "data/published", "data/exports")
"""The folders of this machine that the containers mount by default. Compose does not make them: it would as root."""


def generate_values() -> dict[str, str]:
    """A fresh value for every variable that ``.env.example`` leaves to ``make env``, by name."""
    uid, gid = container_user()
    return {
        "POSTGRES_PASSWORD": secrets.token_urlsafe(32),
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW_API_SECRET_KEY": secrets.token_urlsafe(64),
        "AIRFLOW_JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW_ADMIN_PASSWORD": secrets.token_urlsafe(18),
        "SERVER_UID": str(uid),
        "SERVER_GID": str(gid),
    }


def container_user() -> tuple[int, int]:
    """User and group id of the containers: the caller's, but never root's."""
    return (os.getuid(), os.getgid()) if os.getuid() else (IMAGE_UID, IMAGE_UID)


def write_env(folder: Path) -> Path:
    """Write ``folder/.env`` (mode 0600) from ``folder/.env.example`` and make the folders that the containers mount.

    Raises:
        TitansError: there is an ``.env`` already, or no ``.env.example`` with the expected variables.
    """
    target, example = folder / ".env", folder / ".env.example"
    values = generate_values()
    try:
        lines = example.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise TitansError(
            f"{example} is missing: it says which variables the server needs. Check it out again."
        ) from error
    if missing := sorted(set(values) - {line.removesuffix("=") for line in lines}):
        raise TitansError(
            f"{example} has no empty line {missing[0]}=, so there is no place for its value. Check it out again."
        )
    filled = [line + values.get(line.removesuffix("="), "") for line in lines]
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise TitansError(
            f"{target} exists and was left as it is: new secrets would lock the server out of its own database. "
            "Edit the file, or move it away first if there is no server yet."
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write("\n".join(filled) + "\n")
    for name in MOUNTED_FOLDERS:
        mounted = folder / name
        if not mounted.is_dir():
            mounted.mkdir()
            os.chown(mounted, *container_user())
    return target


def write_passwords() -> Path:
    """Write the login of ``admin`` from the container's environment where Airflow's SimpleAuthManager reads it.

    Raises:
        TitansError: the password or the path of the file is not in the environment.
    """
    password = os.environ.get("AIRFLOW_ADMIN_PASSWORD")
    path = os.environ.get("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE")
    if not password or not path:
        raise TitansError(
            "AIRFLOW_ADMIN_PASSWORD is not set: this command is for the init container. "
            "Run make env, then docker compose up."
        )
    target = Path(path)
    write_whole(target, json.dumps({"admin": password}), mode=0o600)
    return target


def main(arguments: list[str]) -> int:
    """Run one of the two commands; the exit code is 1 with a sentence where it cannot be done."""
    try:
        if arguments == []:
            target = write_env(PROJECT_ROOT)
            print(f"Wrote {target} for you alone. Next: docker compose up -d, then log in as admin (docs/SERVER.md).")
        elif arguments == ["passwords"]:
            print(f"Wrote the login of admin to {write_passwords()}.")
        else:
            raise TitansError("Usage: python -m titans.server_env [passwords]")
    except TitansError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
