"""Shipped weights with their cards, and the model cache for what is not shipped.

from aver import pretrained
pretrained.path_of("face_expression")
pretrained.find("yunet")  # None where nobody fetched it
"""

from aver.pretrained.cache import (
    fetch,
    find,
    folders,
    how_to_get,
    is_intact,
    list_models,
    path_of,
    read_card,
    seen_subjects,
    user_folder,
)
from aver.pretrained.catalogue import CATALOGUE, Model

__all__ = [
    "CATALOGUE",
    "Model",
    "fetch",
    "find",
    "folders",
    "how_to_get",
    "is_intact",
    "list_models",
    "path_of",
    "read_card",
    "seen_subjects",
    "user_folder",
]
