// What the styles of the inspector's sheet cannot do: the role for screen readers, Escape, and where the focus goes.

window.setUpSheet = name => {
  const sheet = document.querySelector(".st-key-inspector_side").closest("[data-testid=stColumn]")
  const narrow = matchMedia("(max-width: 1499px)")  // as in sheet.css
  const toggle = () => document.querySelector(".st-key-inspector input")
  const setRole = () => sheet.role = narrow.matches ? "dialog" : "region"
  narrow.addEventListener("change", setRole)
  setRole()
  sheet.ariaLabel = name
  sheet.tabIndex = -1
  const app = document.querySelector("[data-testid=stApp]")
  sheet.style.setProperty("--sheet-background", getComputedStyle(app).backgroundColor)
  const close = () => sheet.querySelector(".st-key-inspector_close button")
  sheet.onclick = event => { if (close()?.contains(event.target)) toggle()?.focus() }
  sheet.onkeydown = event => {
    if (event.key !== "Escape" || !narrow.matches || event.target.ariaExpanded === "true") return
    event.stopPropagation()
    close()?.click()
  }
  if (narrow.matches && document.activeElement === toggle()) sheet.focus()
}
