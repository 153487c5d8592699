"""The lecture's words: sentences for one-hot vectors, and vectors of features chosen by hand."""

SENTENCES = (
    "The dog chases the cat.",
    "A bird flies over the dog.",
    "The mouse hides from the cat.",
    "The cat watches the fish swim.",
)
FEATURE_NAMES = ("gender", "royalty", "age", "food")
FEATURES = {
    "man": (-1.00, 0.01, 0.02, -0.01),
    "woman": (1.00, 0.02, 0.03, 0.02),
    "king": (-0.95, 1.00, 0.71, -0.02),
    "queen": (0.97, 0.9, 0.68, 0.03),
    "apple": (0.01, -0.01, 0.05, 0.81),
    "orange": (0.02, 0.08, 0.05, 0.75),
}
"""Word: what it has of each feature, from -1 to 1."""
