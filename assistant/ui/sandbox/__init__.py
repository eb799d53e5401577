"""The inspector beside the chat: what a run did on the wire, functions without a model, code, and faults.

The page imports ``panel``, which draws all of it. The other modules hold one part each: ``inspector`` with
``recording_list``, ``event_table``, ``event_rows``, ``live_events`` and ``timing``; ``function_runner`` with
``argument_form``; ``code``; ``faults``.
"""
