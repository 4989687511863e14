"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVER_SHARED", ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with real data and other people's reference outputs (``AVER_SHARED``)."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"real data not found at {SHARED} (set AVER_SHARED)")
    return SHARED
