"""Where studies are kept, how several processes share them, and whose processes died."""

from diffusionnag.search.storages._opening import (
    open_existing_storage,
    open_storage,
    shared_storage,
    unusable,
)
from diffusionnag.search.storages._served_storage import reach_storage, serve_storage
from diffusionnag.search.storages._signs_of_life import (
    PROCESS,
    announce,
    claim,
    is_dead,
    queue_again,
    queue_dead,
    queue_interrupted,
    this_process,
    unseen,
)

__all__ = [
    "PROCESS",
    "announce",
    "claim",
    "is_dead",
    "open_existing_storage",
    "open_storage",
    "queue_again",
    "queue_dead",
    "queue_interrupted",
    "reach_storage",
    "serve_storage",
    "shared_storage",
    "this_process",
    "unseen",
    "unusable",
]
