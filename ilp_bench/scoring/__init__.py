"""From run records to scores."""
