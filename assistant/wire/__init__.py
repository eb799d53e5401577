"""What sits between the SDK and the network: transports that wrap one another, and the tape they make.

``record`` puts what passes on a ``tape``, which ``check`` judges; ``demo`` answers without a network.

The one rule: nothing here knows anything of the rest of the application. The client is made with these, and
everything above it, from the SDK to the page, runs as it always does.
"""
