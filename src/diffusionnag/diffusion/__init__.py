"""The diffusion core: forward processes, the score network, solvers, guidance, training."""
