"""Keeps pytest from importing the scripts that need PyTorch."""

collect_ignore_glob = ["make_*.py"]
