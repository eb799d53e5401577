// Keep the token of a local visitor for a year, for this page only.

window.keepToken = (name, token) => {
  document.cookie = `${name}=${token}; path=${location.pathname}; max-age=31536000; samesite=strict`
}
