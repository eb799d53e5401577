"""Streamlit and drawing, nothing else: the parts of the page, and what they share.

``streamlit_app.py`` imports ``resources`` (the application), ``state`` (what one browser session keeps) and the parts:
``page``, ``sidebar``, ``chat`` and ``sandbox``, the inspector. The keys of all widgets are in ``keys.py``, and everything
undocumented of Streamlit is in ``streamlit_private.py``.
"""
