"""Golden values made with PyTorch, and the formulas both sides build their inputs from."""
