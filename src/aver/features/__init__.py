"""Features: from a crop or a stretch of sound to numbers a network takes."""
