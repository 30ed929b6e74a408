"""What is written down about a run, and read by everything after it."""
