"""Recipes and the loops that run them; needs the extra `train`."""
