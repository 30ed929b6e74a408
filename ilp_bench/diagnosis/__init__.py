"""What a model did not learn of its training rows, and why.

import        :mod:`ilp_bench.data.user_data` reads the rows
asking        both models are asked them, the tuned one in several ways
cause_zero    is it asked otherwise than trained, cut off, hardly trained, another model? Then that is the reason
why           else, the five causes: signals, attribution, evidence in words
report        a page, tables and the repaired training file

:mod:`~ilp_bench.diagnosis.from_rows` runs all of it; ``asking`` alone needs torch.
"""
