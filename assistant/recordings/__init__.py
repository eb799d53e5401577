"""One run as it went over the wire: its file format, its secrets removed, checked, measured and drawn.

A ``recording`` has typed ``entries``; ``requests`` tells what was asked, and ``wire_reader`` reads the events
of the four protocols as the types in ``wire_events``. On these build ``check``, ``timeline``, ``costs``,
``prompts`` (what a cache can reuse) and ``diagram``. ``redaction`` finds and removes secrets, and
``opened`` bounds what sessions have open.
"""
