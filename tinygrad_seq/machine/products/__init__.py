"""Products of matrices: on packed panels, of few rows, and of whole arrays on threads."""
