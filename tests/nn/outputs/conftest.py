"""Keeps pytest from importing the script that needs TensorFlow."""

collect_ignore_glob = ["make_*.py"]
