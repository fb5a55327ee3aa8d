"""Requirements resolved against what the image provides."""
