// Keep the token of a local visitor for a year, for this page only.
window.keepToken = (name, token) => {
    const path = location.pathname
    document.cookie = `${name}=${token}; path=${path}; max-age=31536000; samesite=strict`
}
