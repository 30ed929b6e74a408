"""Why an item was not learned: signals, and the cause attributed from them."""
