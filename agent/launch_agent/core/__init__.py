"""Pure decisions: values in, values out. No network, clock, environment, randomness, logging or files here."""
