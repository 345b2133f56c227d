"""Generation: a trained denoiser sampled freely, under guidance, or along a front."""
