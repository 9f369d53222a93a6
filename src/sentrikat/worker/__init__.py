"""The door of the clock and the queue: runs the jobs of `reactions.py`."""
