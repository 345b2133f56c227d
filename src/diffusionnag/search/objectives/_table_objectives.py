"""Tables as objectives: values that were measured before, or what is learnt from them."""

from __future__ import annotations

from diffusionnag.search.objectives._measure import Measure, MeasurementError
from diffusionnag.spaces import Architecture, SearchSpace
from diffusionnag.tables import clean_measurements, open_table
from diffusionnag.tables.ofa_benchmark import OFA_BENCHMARK, OFA_BENCHMARK_TABLE, ofa_benchmark


def read_table_objective(source: str, column: str, space: SearchSpace) -> Measure:
    """Return what looks an architecture up in a column of a file or an installed table.

    An architecture that is not there raises MeasurementError. Raises DiffusionNAGError for a table
    that is missing, damaged, of another space, or without the column.
    """
    table = open_table(source, space)
    measured = clean_measurements(table, space, column)
    values = dict(zip(measured.architectures, measured.values.tolist(), strict=True))

    def look_up(architecture: Architecture) -> float:
        if architecture not in values:
            raise MeasurementError(f"the table {table.name} has no {column} of this architecture")
        return values[architecture]

    return look_up


def read_surrogate_objective(source: str, column: str, space: SearchSpace) -> Measure:
    """Return what is learnt from all rows of a table's column; every architecture has a value.

    `mobilenetv3_ofa` is not a table, but Once-for-All's own predictor, calibrated on one.

    Raises DiffusionNAGError as `read_table_objective` does.
    """
    if source == OFA_BENCHMARK:
        ofa = ofa_benchmark(space, open_table(OFA_BENCHMARK_TABLE, space), column)
        return lambda architecture: float(ofa.predict([architecture])[0])
    from diffusionnag.tables.surrogate import SurrogateBenchmark

    measured = clean_measurements(open_table(source, space), space, column)
    benchmark = SurrogateBenchmark(space).fit(measured.architectures, measured.values)
    return lambda architecture: float(benchmark.predict([architecture])[0])
