// What the page asks the browser for, once, after a click. The page may be drawn again meanwhile.

window.requests ??= (() => {
  let last

  // The field may arrive after the request.
  const focusField = key => {
    const selector = `.st-key-${key} :is(textarea, input)`, until = Date.now() + 2000
    const focus = () => {
      const field = document.querySelector(selector)
      if (!field && Date.now() < until) return setTimeout(focus, 50)
      field?.focus()
      field?.setSelectionRange?.(field.value.length, field.value.length)
      field?.closest("[data-testid=stChatMessage]")?.scrollIntoView({block: "nearest"})  // with the buttons below it
    }
    setTimeout(focus)
  }

  // Scrolls to a message, counted from the first on the page, and marks a text in it. A message is drawn in pieces, and
  // the page stands at its end first.
  const showMessage = (number, text) => {
    const until = Date.now() + 5000
    const show = () => {
      const message = document.querySelectorAll("[data-testid=stChatMessage]")[number]
      const isDrawn = message && !document.querySelector("[data-test-script-state=running]")
      if (!isDrawn && Date.now() < until) return setTimeout(show, 50)
      if (!message) return
      const texts = document.createTreeWalker(message, NodeFilter.SHOW_TEXT)
      let node, at = -1
      while (at < 0 && (node = texts.nextNode())) {
        if (node.parentElement.checkVisibility()) at = node.data.toLowerCase().indexOf(text.toLowerCase())
      }
      const place = node ? node.parentElement : message
      place.scrollIntoView({block: "center"})
      if (!node || !CSS.highlights) return
      const range = new Range()
      range.setStart(node, at)
      range.setEnd(node, Math.min(at + text.length, node.length))
      CSS.highlights.set("found", new Highlight(range))
      setTimeout(() => CSS.highlights.delete("found"), 10000)
    }
    setTimeout(show, 300)
  }

  const deliverCopy = (key, text) => window.copying.deliver(key, text)

  const actions = {focusField, showMessage, deliverCopy}
  return {
    run(id, action, ...values) {
      if (id === last) return
      last = id
      actions[action](...values)
    },
  }
})()
