"""Superset's own database, its admin, and the dashboard, connected to a published file.

    prepare.py FILE

The admin's password comes on standard input. What ``bundle`` holds replaces what an earlier version of it put there; what
people have made beside it stays.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flask import g
from flask_migrate import upgrade
from superset.app import create_app

ADMIN = "admin"
BUNDLE = Path(__file__).with_name("bundle")


def main(published_file: str, password: str) -> None:
    """Bring Superset to the state of the bundle."""
    app = create_app()
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        from superset import appbuilder, security_manager
        from superset.commands.importers.v1.assets import ImportAssetsCommand

        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        role = security_manager.find_role("Admin")
        admin = security_manager.find_user(ADMIN) or security_manager.add_user(
            ADMIN, "Titans", "Admin", "admin@localhost", role, password=password
        )
        security_manager.reset_password(admin.id, password)
        g.user = admin
        ImportAssetsCommand(bundle(published_file)).run()


def bundle(published_file: str) -> dict[str, str]:
    """The files of the bundle by their paths, with the file to connect to."""
    return {
        str(path.relative_to(BUNDLE)): path.read_text(encoding="utf-8").replace("{published_file}", published_file)
        for path in sorted(BUNDLE.rglob("*.yaml"))
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.read())
