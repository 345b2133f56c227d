"""MobileNetV3 of Once-for-All, whose input resolution is chosen with the layers (Cai et al. 2020)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from diffusionnag.spaces._pasted import pasted_object
from diffusionnag.spaces.architecture import Architecture
from diffusionnag.spaces.conditioned import ConditionedSpace
from diffusionnag.spaces.mobilenetv3 import MobileNetV3

FIELD = "r"
"""What configurations of Once-for-All call the resolution."""


class MobileNetV3Resolution(ConditionedSpace):
    """About 5e20 networks: those of `mobilenetv3`, each at 25 input resolutions, 128 to 224 pixels.

    Strings end in the resolution: `7-6,5-4,none,none|...@192`; configurations of Once-for-All are
    read too: `{"ks": [...], "e": [...], "d": [...], "r": 192}`. Networks are built by `mobilenetv3`,
    from the string without its end.
    """

    name = "mobilenetv3_resolution"
    inner = MobileNetV3()
    condition = "resolution"
    values = tuple(range(128, 225, 4))

    def parse(self, text: str) -> Architecture:
        """Return the network of a string, or of a configuration of Once-for-All as JSON.

        White space means nothing. Raises DiffusionNAGError for any other string.
        """
        configuration = pasted_object(text)
        if configuration is None:
            return super().parse(text)
        return self._configured(configuration, text)

    def _configured(self, configuration: Mapping[str, Any], text: str) -> Architecture:
        value = configuration.get(FIELD)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(value, int) or value not in self.values:
            lowest, highest = self.values[0], self.values[-1]
            raise self.malformed(
                text, f"`{FIELD}` should be a multiple of 4 from {lowest} to {highest}"
            )
        layers = {name: part for name, part in configuration.items() if name != FIELD}
        return self.joined(self.inner.parse(json.dumps(layers)), str(value), text)
