// What Streamlit's Markdown lacks. CSS cannot tell from its text on which side the markers of a list belong; `dir=auto`
// can. A table scrolls by itself, so the keyboard must reach it.

window.completesMarkdown ??= (() => {
  const message = "[data-testid=stChatMessage]"
  const complete = () => {
    for (const list of document.querySelectorAll(`${message} :is(ul, ol, blockquote):not([dir])`)) list.dir = "auto"
    for (const table of document.querySelectorAll(`${message} table:not([tabindex])`)) table.tabIndex = 0
  }
  new MutationObserver(complete).observe(document.body, {childList: true, subtree: true})
  complete()
  return true
})()
