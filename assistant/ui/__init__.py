"""Drawing, and nothing else: the only part of the package that knows Streamlit."""
