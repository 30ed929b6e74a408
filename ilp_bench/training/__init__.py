"""Fine-tuning: recipes decide what a model sees in what order, :mod:`.run` trains them with TRL."""
