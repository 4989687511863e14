"""Detectors that the face tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import SHARED

from aver import pretrained
from aver.faces import DlibDetector, YuNetDetector

_MODELS = [Path(p) for p in os.environ.get("AVER_MODELS", "").split(os.pathsep) if p]


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    name = pretrained.CATALOGUE["yunet"].file
    for folder in (*_MODELS, SHARED / "models", pretrained.user_folder()):
        if (folder / name).is_file():
            return folder / name
    pytest.skip("YuNet is not on this machine (set AVER_MODELS)")


@pytest.fixture(scope="session")
def dlib_detector():
    return DlibDetector()


@pytest.fixture(scope="session")
def yunet_detector(yunet_file):
    return YuNetDetector(yunet_file)


@pytest.fixture(params=["dlib", "yunet"])
def detector(request):
    return request.getfixturevalue(f"{request.param}_detector")
