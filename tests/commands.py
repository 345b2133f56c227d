"""`diffusionnag` in processes of its own that cost no imports: forks of one that has imported everything.

They are as real as any: they have their own number, streams and folder, and can be killed.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import util
from pathlib import Path
from typing import Any

SECONDS = 300.0
"""Patience with any one event; nothing is asserted about time."""
IMPORTED = (
    "alembic.command",
    "alembic.config",
    "alembic.migration",
    "diffusionnag.cli.console",
    "diffusionnag.cli.output",
    "diffusionnag.cli.show_search",
    "diffusionnag.generation.generator",
    "diffusionnag.networks",
    "diffusionnag.report",
    "diffusionnag.search.study",
    "lightning_fabric",
    "optuna.storages._rdb.storage",
    "pydantic.type_adapter",
    "rich.logging",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.orm",
    "torch.utils.tensorboard",
)


class Command:
    """A command that runs in a folder, after a piece of Python that prepares its process."""

    def __init__(self, arguments: list[str], folder: Path, setup: str = "") -> None:
        self.arguments = arguments
        self.returncode: int | None = None
        pipes = [os.pipe() for _ in range(2)]
        self._outputs = [_Output(ours) for ours, _ in pipes]
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_server())
        wanted = (["diffusionnag", *arguments], str(folder), dict(os.environ), setup)
        request = json.dumps(wanted).encode()
        with Path(os.devnull).open() as nothing:
            files = [nothing.fileno(), *(theirs for _, theirs in pipes)]
            socket.send_fds(self._connection, [len(request).to_bytes(8, "big")], files)
        for _, theirs in pipes:
            os.close(theirs)
        self._connection.sendall(request)
        self._answers = self._connection.makefile()
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs."""
        return self.wait(0)

    def wait(self, timeout: float = SECONDS) -> int | None:
        """Wait for the end of the process; return its exit code, None if it does not come in time."""
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            self.returncode = int(self._answers.readline())
            self._connection.close()
        return self.returncode

    def communicate(self, timeout: float = SECONDS) -> tuple[str, str]:
        """Wait for the end of the process; return what it wrote to its two streams."""
        if self.wait(timeout) is None:
            self.kill()
            raise subprocess.TimeoutExpired(self.arguments, timeout)
        for output in self._outputs:
            output.join(timeout)
        out, err = (output.text for output in self._outputs)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process at once."""
        self.send_signal(signal.SIGKILL)

    def result(self, timeout: float = SECONDS) -> subprocess.CompletedProcess[str]:
        """Wait for the end of the process; return what came of it."""
        out, err = self.communicate(timeout)
        assert self.returncode is not None
        return subprocess.CompletedProcess(self.arguments, self.returncode, out, err)


class _Output(threading.Thread):
    """Reads what a process writes to one of its streams."""

    def __init__(self, file: int) -> None:
        super().__init__(daemon=True)
        self.text = ""
        self._file = file
        self.start()

    def run(self) -> None:
        with os.fdopen(self._file) as stream:
            self.text = stream.read()


@functools.cache
def _server() -> str:
    """Start the process that all commands are forks of, once; return where it listens."""
    folder = tempfile.TemporaryDirectory()
    address = f"{folder.name}/commands"
    process = subprocess.Popen([sys.executable, __file__, address], stdin=subprocess.PIPE)

    @atexit.register
    def end() -> None:
        process.kill()
        process.wait()
        folder.cleanup()

    until = time.monotonic() + SECONDS
    while not Path(address).exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    return address


def _serve(address: str) -> tuple[list[str], str, dict[str, str], str]:
    """Fork a process for each request; return the request in that process, and never in this one."""
    with socket.socket(socket.AF_UNIX) as server:
        # Its name appears when it listens.
        server.bind(f"{address}.new")
        server.listen()
        Path(f"{address}.new").rename(address)
        while True:
            ready, _, _ = select.select([server, sys.stdin], [], [])
            # Its input ends with the process that started it.
            if sys.stdin in ready:
                sys.exit()
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            connection, _ = server.accept()
            with connection:
                if os.fork() == 0:
                    return _attend(connection)


def _attend(connection: socket.socket) -> Any:
    """Fork the process of a request, wait for it and answer; return the request in that process."""
    size, files, _, _ = socket.recv_fds(connection, 8, 3)
    left, parts = int.from_bytes(size, "big"), []
    while left:
        parts.append(connection.recv(left))
        left -= len(parts[-1])
    child = os.fork()
    if child == 0:
        for place, file in enumerate(files):
            os.dup2(file, place)
            os.close(file)
        return json.loads(b"".join(parts))
    connection.sendall(f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _keep_fork_server() -> None:
    """Let this process's workers be forks of one that is as this one now is, and has all imports.

    What this process does later, and imports of a user's, is none of theirs, as usual.
    """
    ours, theirs = socket.socketpair()
    server = os.fork()
    if server == 0:
        ours.close()
        # Nothing comes where the command ends without workers.
        code, files, _, _ = socket.recv_fds(theirs, 2**16, 2)
        theirs.close()
        if code:
            # The program names the files by their numbers in the other process.
            numbers = "main({}, {}, ".format(*files)
            exec(re.sub(r"main\(\d+, \d+, ", lambda _: numbers, code.decode(), count=1))
        os._exit(0)
    theirs.close()
    usual = util.spawnv_passfds

    def start(path: Any, arguments: Any, files: Any) -> int:
        if "forkserver" not in arguments[-1] or ours.fileno() < 0:
            return usual(path, arguments, files)
        socket.send_fds(ours, [arguments[-1].encode()], files)
        ours.close()
        return server

    util.spawnv_passfds = start


if __name__ == "__main__":
    import importlib

    # As where the installed script runs.
    sys.path[0] = str(Path(sys.executable).parent)
    for name in IMPORTED:
        importlib.import_module(name)
    from diffusionnag.cli import main

    # A fork that looked for garbage among all this, as it does when it ends, would first copy it.
    gc.freeze()
    sys.argv, here, environment, prepare = _serve(sys.argv[1])
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(file, mode, 1, closefd=False) for file, mode in enumerate("rww")
    )
    os.chdir(here)
    os.environ.clear()
    os.environ.update(environment)
    # A shell's background job, in which tests may run, ignores interrupts, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "--workers" in sys.argv:
        _keep_fork_server()
    exec(prepare)
    main()
