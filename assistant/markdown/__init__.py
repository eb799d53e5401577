"""Markdown as text, without a page.

``sanitizer`` makes a model's Markdown safe and correct for Streamlit while it streams in, ``block_splitter``
splits it into blocks that are drawn one by one, ``escape`` shows other text as it is, and ``links`` checks
web addresses.
"""
