"""What guidance by predictors and limits gives, against measured values."""
