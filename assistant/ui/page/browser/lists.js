// CSS cannot tell from its text on which side the markers of a list belong; `dir=auto` can.

window.listsAreTurned ??= (() => {
  const lists = "[data-testid=stChatMessage] :is(ul, ol, blockquote):not([dir])"
  const turn = () => document.querySelectorAll(lists).forEach(list => list.dir = "auto")
  new MutationObserver(turn).observe(document.body, {childList: true, subtree: true})
  turn()
  return true
})()
