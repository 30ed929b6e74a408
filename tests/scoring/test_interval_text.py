"""One text for intervals: on the command line, in documents, and with real minus signs on the site."""

from ilp_bench.leaderboard.estimate import Estimate
from ilp_bench.leaderboard.formatting import format_number, share_ends
from ilp_bench.scoring.bootstrap import Interval
from ilp_bench.scoring.interval_text import interval_text


def test_an_interval_reads_the_same_everywhere() -> None:
    value = Interval(value=0.434, low=-0.116, high=0.551)
    assert interval_text(value) == "0.43 [-0.12, 0.55]"
    assert interval_text(None, "-") == "-"
    assert interval_text(Interval(value=-0.001, low=-0.2, high=-0.004)) == "0.00 [-0.20, 0.00]"
    estimate = Estimate.of(value)
    assert estimate
    shown = f"{format_number(estimate.value)} {share_ends(estimate)}"
    assert shown.replace("\N{MINUS SIGN}", "-") == interval_text(value)
