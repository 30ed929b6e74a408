"""Why an item was not learned: signals, the causes that they speak for, and the evidence in words."""
