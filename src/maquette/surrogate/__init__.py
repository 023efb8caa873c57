"""Surrogates: models of the objective, on numpy and scipy."""
