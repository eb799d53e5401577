"""Who may use the page, and how much: sign-in rules, limits and the usage counted against them."""
