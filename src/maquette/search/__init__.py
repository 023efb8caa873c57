"""Searchers: which config to try next. One algorithm a file."""
