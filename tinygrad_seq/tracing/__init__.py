"""Functions run on symbols: what they call is written down, differentiated, cut in two."""
