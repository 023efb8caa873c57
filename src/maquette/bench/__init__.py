"""Benchmarks: tasks to tune and measure on."""
