"""The command line: ``launch-agent [run]``, ``validate``, ``render``, ``version``.

One module per command, imported when the command is given, so that none pays for another's imports. What belongs here:
flags, texts for people, exit codes, the set-up of logging. What does not: any decision about items.
"""

from launch_agent.cli.entry import main

__all__ = ["main"]
