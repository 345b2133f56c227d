"""A study's storage served to processes of other machines, by Optuna's gRPC proxy."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.storages import BaseStorage, GrpcStorageProxy, JournalStorage
from optuna.storages._grpc.server import make_server
from optuna.study import Study

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError

SERVED = "grpc://"
"""What stands before the address of a storage that another process serves."""
PATIENCE = 60
"""Seconds to wait for the process that serves a storage."""


@contextmanager
def serve_storage(study: Study, host: str) -> Iterator[str]:
    """Serve a study's storage at an address of this machine; yield the name to open it by.

    Raises DiffusionNAGError for a journal, which Optuna cannot serve.
    """
    if isinstance(study._storage, JournalStorage):
        raise DiffusionNAGError(
            "a journal cannot be shared by a cluster; use the storage sqlite:///search.db"
        )
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    # Optuna's public `run_grpc_proxy_server` never ends, and keeps the process from ending.
    server = make_server(study._storage, host, port)
    server.start()
    try:
        yield f"{SERVED}{host}:{port}"
    finally:
        server.stop(grace=None).wait()


def reach_storage(text: str) -> BaseStorage:
    """Return the storage of `grpc://HOST:PORT`.

    Raises DiffusionNAGError for any other text, EnvironmentFailureError where nobody answers.
    """
    host, _, port = text.removeprefix(SERVED).rpartition(":")
    if not port.isdecimal():
        raise DiffusionNAGError(f"the storage {text} should read like {SERVED}HOST:PORT")
    storage = GrpcStorageProxy(host=host, port=int(port))
    try:
        storage.wait_server_ready(timeout=PATIENCE)
    except ConnectionError as error:
        raise EnvironmentFailureError(f"nobody serves the storage {text} any more") from error
    return storage
