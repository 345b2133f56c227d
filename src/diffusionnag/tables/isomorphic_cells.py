"""Tables with one measured cell for each class of isomorphic NAS-Bench-201 cells."""

from __future__ import annotations

import numpy as np

from diffusionnag.spaces import get_search_space
from diffusionnag.spaces.nasbench201 import isomorphism_class
from diffusionnag.tables.table import Table


def shared_by_isomorphic_cells(table: Table) -> Table:
    """Return a table of every cell whose class was measured, with the values of its class.

    Cells come in the order of `enumerate`. Raises DiffusionNAGError for a row that is no cell.
    """
    space = get_search_space("nasbench201")
    row_of_class = {
        isomorphism_class(space.operation_names(space.parse(text))[1:-1]): row
        for row, text in enumerate(table.architectures)
    }
    cells, rows = [], []
    for cell in space.enumerate():
        row = row_of_class.get(isomorphism_class(space.operation_names(cell)[1:-1]))
        if row is not None:
            cells.append(space.format(cell))
            rows.append(row)
    chosen = np.array(rows, dtype=np.intp)
    columns = {name: values[chosen] for name, values in table.columns.items()}
    return Table(table.name, tuple(cells), columns)
