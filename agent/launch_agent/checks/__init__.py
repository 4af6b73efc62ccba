"""What ``launch-agent check`` tries, for real and without a trace: settings, W&B, Kubernetes, rights, sample Jobs.

report      what was found, as lines and as JSON; the exit code
effort      many questions at once, each with a time limit
samples     a run spec made of a queue's stored config
wandb       W&B: reached, key, entity, queues
cluster     Kubernetes: reached, rights, dry-runs
inspection  all of it, in order
"""
