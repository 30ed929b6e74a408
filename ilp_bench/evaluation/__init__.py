"""Evaluation: from a model and a dataset to a run record."""
