"""Cause 0: reasons before the five causes, each a check with the figure that decides it, in the order of ``CHECKS``."""
