"""Models: finding them, their tokenization, and the built-in ``nano`` models."""
