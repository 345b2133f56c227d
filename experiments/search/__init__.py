"""How many measurements a search needs."""
