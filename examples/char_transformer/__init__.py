"""A character-level transformer of nanoGPT's size: the run that the demo tunes."""
