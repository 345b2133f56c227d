"""What the tests of executors have done: in a module of its own, whose import costs a process nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from diffusionnag.errors import DiffusionNAGError

Task = tuple[str, int]


def note(task: Task) -> int:
    """Note that a task began, and return the square of its number."""
    folder, number = task
    with Path(folder, "calls.txt").open("a") as file:
        file.write(f"{number} {os.getpid()}\n")
    return number**2


def die_once(task: Task) -> int:
    """Do the same; the first process that is to do task 2 dies of it."""
    square, marker = note(task), Path(task[0], "died")
    if task[1] == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square


def die(task: Task) -> int:
    """Die of it, every time."""
    os.kill(os.getpid(), signal.SIGKILL)
    return task[1]


def refuse(task: Task) -> int:
    """Raise what a user has caused."""
    raise DiffusionNAGError(f"task {task[1]} cannot be done")


def fail(task: Task) -> int:
    """Raise what nobody foresaw."""
    return task[1] // 0
