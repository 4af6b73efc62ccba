"""Does its work and never tells W&B."""

print("counted to three")
