"""The processor: vectors, functions on them, products, threads, memory; it knows no steps."""
