"""Experiments with weights that all networks of a space share."""
