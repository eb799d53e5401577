// Closes the sidebar on a phone, where it covers the chat that was chosen in it.

window.closesSidebar ??= !document.addEventListener("click", event => {
  const isChoice = event.target.closest(".st-key-threads [class*=st-key-open_thread_] button, .st-key-new_chat button")
  const close = () => document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click()
  if (isChoice && innerWidth < 768) setTimeout(close, 100)
})
