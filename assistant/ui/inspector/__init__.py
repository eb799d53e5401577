"""The inspector beside the chat: what a run did on the wire, functions without a model, code, and faults.

The page imports ``panel``, which draws all of it. The other modules hold one part each: the run log with its
list of recordings, table of events and timing; the function runner with the form of its arguments; the code;
the faults.
"""
