"""Schedulers: how far each trial goes. One algorithm a file."""
