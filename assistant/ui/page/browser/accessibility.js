// Declares what Streamlit does not: the page's language, the role of the live region, and that of open menus.

window.declareRoles = (language, menusLabel) => {
  for (const region of document.getElementsByClassName("st-key-announcements")) {
    region.setAttribute("role", "status")
    region.setAttribute("aria-live", "polite")
  }
  document.documentElement.lang = language
  for (const menus of document.querySelectorAll("#stFloatingOverlayPortal")) {
    menus.setAttribute("role", "region")
    menus.setAttribute("aria-label", menusLabel)
  }
}
