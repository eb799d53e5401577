// Escape in the editor of a message cancels the edit, and nothing else. Elsewhere it stops the answer, which is the
// shortcut of the Stop button, unless it has another meaning where the focus is.

window.handlesEscape ??= !document.addEventListener("keydown", event => {
  if (event.key !== "Escape") return
  const {target} = event
  const cancel = target.closest("[data-testid=stChatMessage]:has([class*=st-key-edit_text_])")
    ?.querySelector("[class*=st-key-cancel_] button")
  const clears = target.matches("input[type=search]") && target.value
  if (!cancel && !clears && !event.isComposing) return  // to compose is to write Japanese, for example
  event.stopPropagation()
  if (!event.isComposing) cancel?.click()
}, true)
