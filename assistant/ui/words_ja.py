"""The interface in Japanese: English words, as they stand in the code -> Japanese ones.

The one rule: every sentence that the code says through ``words.say`` is here, with the same parts in braces.
"""

JAPANESE = {
    # streamlit_app.py
    "New chat": "新しいチャット",
    "Ask anything": "メッセージを入力",
}
