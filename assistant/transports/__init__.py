"""Transports between the SDK and the network, each of which wraps another one.

``recorder`` records a run into a ``live_recording``, ``recording_store`` keeps the newest ones, and
``replay`` answers from one. ``fault_transport`` injects the faults of a ``fault_spec``. ``throttle`` reads
less often while many answers stream, and ``sse`` parses server-sent events. ``websocket`` requests responses
over connections that stay open.
``cancellation`` and ``network`` let another thread end what a request waits for.
"""
