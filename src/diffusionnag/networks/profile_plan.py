"""Networks as files for another machine, with the script that measures them there."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

from diffusionnag._files import digest_name, prepare_folder, write_atomically
from diffusionnag._seeds import check_seed
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.networks.building import build_network
from diffusionnag.networks.exporting import export_network
from diffusionnag.spaces import SearchSpace, Task, task_as_json
from diffusionnag.tables.growing import check_identity, draw_distinct

SCRIPT = "measure_elsewhere.py"
LIST = "networks.csv"
"""What the script reads; it writes `latencies.csv`, with the columns `arch` and `latency_ms`."""
LATENCY = "latency_ms"
SETTINGS_FILE = "plan.json"


def write_plan(
    space: SearchSpace,
    task: Task,
    count: int,
    folder: Path,
    *,
    seed: int = 0,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Write random networks as ONNX files into a folder, with a script that measures them anywhere.

    Files that are there stay, and a larger `count` has those of a smaller one first. An architecture
    whose network cannot be built or exported is left out; returns why, one line for each. Raises
    DiffusionNAGError where none can, for a count the space does not have, and for a folder that holds
    a plan of another space or task.
    """
    if not 1 <= count <= space.size:
        raise DiffusionNAGError(
            f"cannot plan {count} architectures; ask for 1 to all {space.size} of {space.name}"
        )
    prepare_folder(folder)
    check_identity(
        folder / SETTINGS_FILE,
        {"search_space": space.name, "task": task_as_json(task)},
        "a plan of another space or other sizes; name another folder",
    )
    rows: list[dict[str, str]] = []
    failed: list[str] = []
    drawn = draw_distinct(space, count, check_seed(seed))
    for done, architecture in enumerate(drawn, start=1):
        text = space.format(architecture)
        path = folder / f"network-{digest_name(text)}.onnx"
        try:
            if not path.exists():
                export_network(build_network(space, architecture, task=task), task, path)
            rows.append({"file": path.name, "arch": text})
        except DiffusionNAGError as error:
            failed.append(" ".join(str(error).split()))
        report(done, count)
    if not rows:
        raise DiffusionNAGError(failed[0])
    with (
        write_atomically(folder / LIST) as temporary,
        temporary.open("w", newline="") as file,
    ):
        writer = csv.DictWriter(file, ["file", "arch"])
        writer.writeheader()
        writer.writerows(rows)
    shutil.copy(Path(__file__).with_name(SCRIPT), folder / SCRIPT)
    return failed
