"""The loops: intake, launcher, tracker, reporter, ledger, health. The only layer with threads and a clock."""
