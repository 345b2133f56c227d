"""Transfer to a new image data set (paper, section 2.3): a dataset-aware predictor guides."""

from diffusionnag._callable_module import make_callable

make_callable(__name__, "diffusionnag.generation:transfer")
