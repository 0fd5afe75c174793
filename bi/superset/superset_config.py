"""Superset for one person on one machine: its state in the data folder, no cache, nothing asked of the network.

``make superset`` sets SUPERSET_HOME.
"""

from __future__ import annotations

import os
from pathlib import Path

from superset.config import TALISMAN_CONFIG as _TALISMAN

_HOME = Path(os.environ["SUPERSET_HOME"])

SECRET_KEY = (_HOME / "secret.key").read_text(encoding="utf-8")
SQLALCHEMY_DATABASE_URI = f"sqlite:///{_HOME / 'superset.db'}?timeout=60"
APP_NAME = "Titans"

# The browser asks this server alone: by default it also asks a tracking pixel, maps and fonts of others.
TALISMAN_CONFIG = _TALISMAN | {
    "content_security_policy": _TALISMAN["content_security_policy"]
    | {
        "img-src": ["'self'", "blob:", "data:"],
        "connect-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
    }
}

# The next query sees the next generation: nothing is cached.
DATA_CACHE_CONFIG = CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
