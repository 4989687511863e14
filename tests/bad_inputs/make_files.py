"""Makes every hostile file of the tests by code: ``MAKERS[name](folder)`` returns its path.

``REFUSED`` names those that must be refused with one clear line, ``WARNED`` those that are read
with a warning; all others are read without one.
"""

from bad_inputs import make_damaged, make_unreadable, make_unusual
from bad_inputs.make_unusual import ODD_NAMES
from bad_inputs.recordings import moving
from bad_inputs.registry import MAKERS, REFUSED, WARNED

__all__ = [
    "MAKERS",
    "ODD_NAMES",
    "REFUSED",
    "WARNED",
    "make_damaged",
    "make_unreadable",
    "make_unusual",
    "moving",
]
