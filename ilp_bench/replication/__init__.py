"""The paper's claims, tested on the committed reference results."""
