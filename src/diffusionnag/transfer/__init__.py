"""Transfer to a new image data set (paper, section 2.3): a dataset-aware predictor guides."""
