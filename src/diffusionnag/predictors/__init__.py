"""Property predictors: from measured architectures to differentiable estimates."""
