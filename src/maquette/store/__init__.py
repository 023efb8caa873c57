"""Stores: where studies are kept."""
