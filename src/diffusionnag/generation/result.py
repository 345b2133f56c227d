"""What generating has brought, with all that it is compared with: computed once, shown anywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffusionnag._html_table import SHOWN, html_table
from diffusionnag.artifacts.json_lines import ArchitectureRecord
from diffusionnag.artifacts.model_cards import About
from diffusionnag.artifacts.record_files import data_frame, write_record_file
from diffusionnag.artifacts.run_records import RunRecord, write_run_record
from diffusionnag.generation.evaluation import Evaluation
from diffusionnag.generation.front import Front, FrontComparison
from diffusionnag.generation.metrics import GenerationQuality
from diffusionnag.generation.request import Request
from diffusionnag.generation.samples import Samples

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class DatasetDescription:
    """What was read of an image data set, and from what its predictor learnt."""

    classes: int
    images: int
    """Those that were looked at; 0 where images decide nothing."""
    skipped: int
    """Those that could not be read."""
    learnt_from: str

    def describe(self) -> tuple[str, str]:
        """Return in lines for the user what was looked at, and what predicted accuracies mean."""
        if not self.images:
            return (
                f"{self.classes} classes; the images are not looked at: too few data sets are known to "
                "learn what images tell",
                f"values are normal scores, of the mean over known data sets ({self.learnt_from})",
            )
        skipped = f"; {self.skipped} could not be read" if self.skipped else ""
        return (
            f"{self.classes} classes, described by {self.images} images{skipped}",
            "accuracies are on the scale of what the predictor learnt from "
            f"({self.learnt_from}): they rank architectures for these images, and say little of "
            "the accuracy on them",
        )


@dataclass(frozen=True)
class GenerationResult:
    """Architectures that were asked for, and how good they are.

    `generated` and `uniform` hold what is known of the samples, best first, and of as many uniform
    random draws; `unguided`, where it was asked for, of as many that nothing guided. `quality` is
    that of what the network drew, before any repair, None where it drew nothing. `fronts` belongs
    to several guides at once, `dataset` to a transfer.
    """

    request: Request
    samples: Samples[Any]
    quality: GenerationQuality | None
    generated: Evaluation
    uniform: Evaluation
    unguided: Evaluation | None = None
    fronts: FrontComparison | None = None
    dataset: DatasetDescription | None = None

    def records(self) -> list[ArchitectureRecord]:
        """Return what is known of each architecture, best first, as it is written into files."""
        details = self.samples.details
        records = list(self.generated.records())
        if isinstance(details, Front):
            pairs = zip(records, details.on_front, strict=True)
            records = [replace(record, front=bool(on_front)) for record, on_front in pairs]
        return records

    def save(self, path: str | Path, about: About | None = None) -> None:
        """Write the records, as JSON lines, CSV or Parquet, and beside them what was asked for.

        The path's ending says which; `about` says where they come from. Raises DiffusionNAGError
        for another ending, EnvironmentFailureError where a file cannot be written.
        """
        path = Path(path)
        write_record_file(path, self.records())
        write_run_record(path, self._run_record(about or About()))

    def _run_record(self, about: About) -> RunRecord:
        random = self.uniform.allowed()
        pairs = zip(self.request.properties, self.request.weights, strict=True)
        if self.quality is not None:
            quality = {
                f"{name} of what the network drew, %": value
                for name, value in vars(self.quality).items()
            }
            about = replace(about, quality=quality)
        return RunRecord(
            search_space=self.generated.space.name,
            about=about,
            goals={guide.property_name: 1 if weight > 0 else -1 for guide, weight in pairs},
            limits=tuple(limit.describe() for limit in self.request.limits),
            random={
                name: values.tolist() for name, values in (random.analytic | random.mean).items()
            },
            random_true={name: values.tolist() for name, values in random.true.items()},
        )

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table of the architectures, best first, with a column for each property.

        A predicted property has its name, its deviation `NAME std` and its true value `NAME true`;
        of several guides `front` says which are on the front.
        """
        return data_frame(self.records())

    def _repr_html_(self) -> str:
        """Return the best as a table of HTML, for notebooks."""
        best = list(self.generated.distinct().first(SHOWN).records())
        names = list(best[0].properties)
        rows = [
            (record.architecture, [f"{record.properties[name]:.4g}" for name in names])
            for record in best
        ]
        caption = f"{len(self.samples)} architectures of {self.generated.space.name}, the best:"
        return html_table(caption, names, rows)
