"""How well predictors rank architectures."""
