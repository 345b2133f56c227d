"""Tables of the user's own: rows of numbers and categories, and a column that is to be told."""

from diffusionnag.tabular.columns import TABLE_SUFFIXES, choose_column, read_columns
from diffusionnag.tabular.features import FeatureEncoding
from diffusionnag.tabular.rows import SKLEARN, TARGETS, Rows, class_numbers, read_rows

__all__ = [
    "SKLEARN",
    "TABLE_SUFFIXES",
    "TARGETS",
    "FeatureEncoding",
    "Rows",
    "choose_column",
    "class_numbers",
    "read_columns",
    "read_rows",
]
