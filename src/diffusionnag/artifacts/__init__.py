"""What is kept in files: model folders and their cards, states of trainings, records of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffusionnag._lazy_names import lazy_names

if TYPE_CHECKING:
    from diffusionnag.artifacts.checkpoints import (
        open_checkpoint,
        read_weights,
        shipped_names,
        write_checkpoint,
    )
    from diffusionnag.artifacts.json_lines import ArchitectureRecord, read_records, write_records
    from diffusionnag.artifacts.model_cards import About, model_card
    from diffusionnag.artifacts.record_files import write_record_file
    from diffusionnag.artifacts.run_records import RunRecord, read_run_record, write_run_record

__all__ = [
    "About",
    "ArchitectureRecord",
    "RunRecord",
    "model_card",
    "open_checkpoint",
    "read_records",
    "read_run_record",
    "read_weights",
    "shipped_names",
    "write_checkpoint",
    "write_record_file",
    "write_records",
    "write_run_record",
]

_HOMES = {
    "checkpoints": (
        "open_checkpoint",
        "read_weights",
        "shipped_names",
        "write_checkpoint",
    ),
    "json_lines": (
        "ArchitectureRecord",
        "read_records",
        "write_records",
    ),
    "model_cards": (
        "About",
        "model_card",
    ),
    "record_files": ("write_record_file",),
    "run_records": (
        "RunRecord",
        "read_run_record",
        "write_run_record",
    ),
}
__getattr__ = lazy_names(__name__, _HOMES)
