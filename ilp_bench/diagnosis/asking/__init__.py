"""Ask two models about training rows: how well each answer is reproduced, in which way of asking, by which model."""
