"""ILP-Bench: how much of what you fine-tuned on did your model learn, and why not the rest?"""

__version__ = "0.1.0"
