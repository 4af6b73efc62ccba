"""Breaks before its run starts."""

import sys

print("ModuleNotFoundError: No module named 'torch'")
sys.exit(3)
