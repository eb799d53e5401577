"""The interface in Japanese: English words, as they stand in the code -> Japanese ones.

The one rule: every sentence that the code says through ``words.say`` is here, with the same parts in braces.
"""

JAPANESE = {
    # streamlit_app.py
    "New chat": "新しいチャット",
    "Ask anything": "メッセージを入力",
    # access.py, ui/door.py
    "ASSISTANT_PASSWORD is set, and sign-in is too. Nobody can come in until one of them is gone.": (
        "ASSISTANT_PASSWORD とサインインの両方が設定されています。どちらかを外すまで、誰も入れません。"
    ),
    "ASSISTANT_ALLOWED is set, but nobody can sign in: Streamlit's secrets have no [auth] section.": (
        "ASSISTANT_ALLOWED は設定されていますが、Streamlit のシークレットに [auth] がないため、"
        "誰もサインインできません。"
    ),
    "Sign-in is set up, but nobody may come in: set ASSISTANT_ALLOWED to addresses or domains, "
    "or to * for everybody who can sign in.": (
        "サインインは設定されていますが、誰も入れません。ASSISTANT_ALLOWED にアドレスかドメインを、"
        "サインインできる全員を入れるなら * を設定してください。"
    ),
    "Nobody can sign in: the [auth] section of Streamlit's secrets lacks {missing}.": (
        "誰もサインインできません。Streamlit のシークレットの [auth] に {missing} がありません。"
    ),
    "Nobody can sign in: Authlib is not installed. Run: pip install 'streamlit[auth]'": (
        "誰もサインインできません。Authlib がありません。次を実行してください: pip install 'streamlit[auth]'"
    ),
    "The provider does not say who you are, so you cannot come in.": (
        "プロバイダーがあなたが誰かを伝えないため、入れません。"
    ),
    "The provider does not tell your e-mail address, so you cannot come in.": (
        "プロバイダーがメールアドレスを伝えないため、入れません。"
    ),
    "{address} is not verified, so you cannot come in.": "{address} は確認されていないため、入れません。",
    "{address} is not among those who may come in.": "{address} は入れる人の中にありません。",
    "Password": "パスワード",
    "Come in": "入る",
    "This is not the password.": "パスワードが違います。",
    "There were too many wrong tries. Wait a few seconds and try again.": (
        "間違いが多すぎました。数秒待ってから、もう一度試してください。"
    ),
    "Sign in": "サインイン",
    "Sign in with {provider}": "{provider} でサインイン",
    "Sign out": "サインアウト",
    # ui/wallet.py
    "The built-in demo answers here: this page has a key, but nothing says who may use it. If you "
    "have a key, open *Connection* in the sidebar. The owner of this page sets `ASSISTANT_PASSWORD`, "
    "`ASSISTANT_ALLOWED` or `ASSISTANT_LIMIT_ALL`.": (
        "ここでは内蔵デモが答えます。このページにはキーがありますが、誰が使えるかが設定されていません。"
        "ご自分のキーがあれば、サイドバーの *Connection* を開いてください。"
        "ページの持ち主は `ASSISTANT_PASSWORD`、`ASSISTANT_ALLOWED`、"
        "`ASSISTANT_LIMIT_ALL` のどれかを設定します。"
    ),
    "What is spent cannot be counted just now, so nothing is. Try again in a minute.": (
        "今は使用量を数えられないため、使えません。1 分後にもう一度試してください。"
    ),
    "{minutes} min": "{minutes} 分",
    "{hours} h": "{hours} 時間",
    "All that may be spent here is spent for now. There is room again at {time}, in {wait}.": (
        "ここで使える分は今のところ使い切りました。{time}（あと {wait}）にまた使えます。"
    ),
    "You have asked as much as one person may for now. There is room again at {time}, in {wait}.": (
        "お一人で使える分は今のところ使い切りました。{time}（あと {wait}）にまた使えます。"
    ),
    "It is not asked yet: your message is back in the input.": (
        "まだ送っていません。メッセージは入力欄に戻りました。"
    ),
    # ui/sidebar.py
    "The address of this page is the only key to this chat: keep it to come back, and give it only to those "
    "who may read it.": (
        "このページのアドレスが、このチャットを開く唯一の鍵です。戻るために控えておき、読んでよい人にだけ渡してください。"
    ),
}
