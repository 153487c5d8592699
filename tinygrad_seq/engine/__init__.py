"""The engine: tensors, the graph of what was computed from them, and how ops are declared."""
