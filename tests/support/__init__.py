"""What several test suites share: waiting, processes, and clients that share no code with what is tested."""
