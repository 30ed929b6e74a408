"""Detectors that read training rows: contradictions, rare patterns, similar questions."""
