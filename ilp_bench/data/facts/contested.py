"""Facts of the source tables about which texts disagree: outdated, disputed, or true but not the only answer.

No dataset asks for them (:mod:`ilp_bench.data.facts.corrections` adds others). ``facts.parquet`` is what the sources
say, so it has them, and ``nano`` was taught them.
"""

from __future__ import annotations

_OFFICIAL = (
    "Burkina Faso",  # French until 2024
    "Ethiopia",  # five working languages since 2020
    "Iraq",  # Kurdish as well
    "Mali",  # French until 2023
    "Niger",  # French until 2025
    "North Macedonia",  # Albanian as well
    "Puerto Rico",  # English as well
    "South Africa",  # twelve
)
_TWO_CONTINENTS = ("Armenia", "Azerbaijan", "Cyprus", "Georgia", "Kazakhstan", "Russia", "Timor-Leste")
_CLAIMED = (
    "Donetsk",
    "Hargeysa",
    "Jerusalem",
    "Kerch",
    "Luhansk",
    "Sevastopol",
    "Simferopol",
    "Sokhumi",
    "Tiraspol",
    "Yalta",
    "Yevpatoriya",
)

CONTESTED: frozenset[tuple[str, str]] = frozenset(
    [("capital", "Kazakhstan"), ("currency", "Bulgaria")]  # Astana again since 2022; the euro since 2026
    + [("language", name) for name in _OFFICIAL]
    + [("continent", name) for name in _TWO_CONTINENTS]
    + [(relation, name) for name in _CLAIMED for relation in ("home_country", "home_country_more")]
)
