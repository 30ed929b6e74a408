"""The controlled datasets: settings, facts, names, templates, causes, rows, and the datasets made of them."""
