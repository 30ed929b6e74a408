"""The report of a diagnosis: what was measured of every row, as tables, as a page, and as repaired training rows."""
