"""Steps and functions compiled: traced, differentiated, fused, lowered to kernels."""
