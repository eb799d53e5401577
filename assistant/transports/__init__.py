"""Everything between the SDK and the network: httpx2 transports that wrap one another."""
