"""Starts the demo from any folder: `.venv/bin/python demo/run.py [--keep]`."""

import runpy
import sys
from pathlib import Path

# A script's own folder is where Python looks first; the demo's parts are found from the folder above it.
sys.path[0] = str(Path(__file__).resolve().parents[1])
runpy.run_module("demo.story", run_name="__main__")
