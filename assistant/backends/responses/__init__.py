"""The Responses API, with Conversations where the server has them."""
