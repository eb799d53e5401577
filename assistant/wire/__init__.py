"""What sits between the SDK and the network: transports that wrap one another, and hooks.

They know nothing of the rest of the application: the client is made with one of them, and everything above
it, from the SDK to the page, runs as it always does.
"""
