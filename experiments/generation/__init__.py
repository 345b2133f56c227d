"""How valid, various and true to its space what the generators draw is."""
