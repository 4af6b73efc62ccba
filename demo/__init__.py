"""`make demo`: server, agent and a training script on this machine, followed to the end.

run.py      starts it; `make demo` calls this
story.py    what happens, step by step
stage.py    the temporary folder and the processes, and how they end
backend.py  questions to the server's API
screen.py   what is printed
train.py    the training script, run by W&B's SDK's interpreter
item.yaml   what is pushed;  queue.yaml  the queue's own configuration
"""
