// The copy buttons. A text is sent to the browser only after a click on its button, because long answers would be sent
// twice otherwise. A browser allows writing to the clipboard only during the click, so writing begins then and waits for
// the text. Where the page has no clipboard, as over plain HTTP, an invisible field is copied.

window.copying ??= (() => {
  const status = document.body.appendChild(document.createElement("div"))
  status.setAttribute("role", "status")
  status.className = "copy-status"
  const copyField = text => {
    const field = document.body.appendChild(document.createElement("textarea"))
    field.value = text
    field.select()
    const copied = document.execCommand("copy")
    field.remove()
    if (!copied) throw new Error("the browser does not allow copying")
  }
  let waiting
  let label  // what the page says when a text has been copied
  document.addEventListener("click", event => {
    const button = event.target.closest("[class*=st-key-copy_] button")
    if (!button) return
    const place = button.closest("[class*=st-key-copy_]")
    const key = place.className.match(/st-key-(copy_\d+)/)[1]
    const text = new Promise(resolve => waiting = {key, resolve})
    let done
    try {
      const blob = text.then(text => new Blob([text], {type: "text/plain"}))
      done = navigator.clipboard.write([new ClipboardItem({"text/plain": blob})])
    } catch (error) {
      done = Promise.reject(error)
    }
    done.catch(async () => copyField(await text)).then(() => {
      place.dataset.copied = status.textContent = label
      setTimeout(() => { delete place.dataset.copied; status.textContent = "" }, 2000)
    })
  }, true)
  return {
    setLabel(text) { label = text },
    deliver(key, text) {
      if (waiting?.key !== key) return
      waiting.resolve(text)
      waiting = null
    },
  }
})()
