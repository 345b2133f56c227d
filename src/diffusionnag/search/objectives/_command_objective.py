"""A shell command as objective: any program that trains or measures an architecture."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.search.objectives._measure import MeasurementError
from diffusionnag.spaces import Architecture, SearchSpace

PLACEHOLDER = "{architecture}"
"""What stands for the architecture in a command; it is replaced by the string, quoted."""
VARIABLE = "DIFFUSIONNAG_ARCHITECTURE"
"""The environment variable that holds the same string, unquoted."""
PRINTED = "value"
"""The name of what is measured where a command prints, or a function returns, a number alone."""


@dataclass(frozen=True)
class CommandObjective:
    """Runs a command of the shell for each architecture, and reads its last line of output.

    That line is a number, or a JSON object of numbers by name, also in quotes; what is no number
    there is left out. An attempt that takes longer than `timeout` seconds is killed with all the
    processes that it started; one that fails is repeated up to `retries` times. Raises
    DiffusionNAGError for an empty command, quotes around the placeholder, a timeout that is not
    above 0, and retries below 0.
    """

    space: SearchSpace
    command: str
    timeout: float | None = None
    retries: int = 0

    def __post_init__(self) -> None:
        if not self.command.strip():
            raise DiffusionNAGError(
                "the command to evaluate is empty; give one that prints a value"
            )
        if re.search(rf"[\"']{re.escape(PLACEHOLDER)}[\"']", self.command):
            raise DiffusionNAGError(
                f"in the command write {PLACEHOLDER} without quotes around it; it is quoted already"
            )
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise DiffusionNAGError(f"the timeout is {self.timeout:g}; it must be above 0 seconds")
        if self.retries < 0:
            raise DiffusionNAGError(f"there cannot be {self.retries} retries; ask for 0 or more")

    def __call__(self, architecture: Architecture) -> float | dict[str, float]:
        """Return what the command says of an architecture: a value, or several by name.

        Raises MeasurementError, with the reason, once the last attempt has failed.
        """
        for _ in range(self.retries):
            with suppress(MeasurementError):
                return read_output(self._run(architecture))
        return read_output(self._run(architecture))

    def _run(self, architecture: Architecture) -> str:
        """Return what the command writes to standard output."""
        text = self.space.format(architecture)
        process = subprocess.Popen(
            self.command.replace(PLACEHOLDER, shlex.quote(text)),
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, VARIABLE: text},
            # A process group of its own, so that it can be killed as a whole.
            start_new_session=True,
        )
        try:
            output, messages = process.communicate(timeout=self.timeout)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise MeasurementError(
                    f"the command took longer than {self.timeout:g} s"
                ) from error
            raise
        if process.returncode:
            reason = _last_line(messages) or "it wrote nothing to standard error"
            raise MeasurementError(
                f"the command ended with exit code {process.returncode}: {reason}"
            )
        return output


def read_output(output: str) -> float | dict[str, float]:
    """Return the value, or the values by name, that the last line of a command's output holds.

    Raises MeasurementError where it is neither a number nor a JSON object.
    """
    line = _last_line(output)
    with suppress(ValueError):
        return float(line)
    try:
        printed = json.loads(line)
    except ValueError:
        printed = None
    if not isinstance(printed, dict):
        raise MeasurementError(
            f"the command's last line of output is {line[:80]!r}, neither a number nor a JSON object"
        )
    numbers = ((name, _number(value)) for name, value in printed.items())
    return {name: value for name, value in numbers if value is not None}


def _number(value: object) -> float | None:
    """Return a number, or a text that is one, as such; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    with suppress(ValueError, OverflowError):
        return float(value)
    return None


def _last_line(text: str) -> str:
    """Return the last line that is not blank, empty without one."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
