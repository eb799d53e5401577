// Keeps the page at the end of the conversation for as long as the reader does not scroll up, draws the button that leads
// there, and moves the focus.

window.conversation ??= (() => {
  const NEAR = 60   // pixels from the end within which a reader who scrolls down wants to follow it
  const FAR = 200   // pixels from the end from which on the button that leads there is shown
  const GAP = 16    // pixels between the end and the input
  const PROMPT = "[data-testid=stChatInputTextArea]"
  const find = selector => document.querySelector(selector)
  const main = () => find("[data-testid=stMain]")
  const bottom = () => find("[data-testid=stBottom]")
  const marker = () => find(".st-key-scrolling")
  let turn          // the last that began
  let follows       // whether the page stays at the end of the conversation
  let held          // pixels from the upper edge to the end of the page, which stay while earlier messages are drawn above
  let top, height   // where the page stood, and how high it was, at the last scroll event

  // Pixels of the conversation below the upper edge of the input.
  const below = () => marker() && bottom()
    ? marker().getBoundingClientRect().top - bottom().getBoundingClientRect().top : 0

  const scrollTo = where => {
    main().scrollTop = where
    top = main().scrollTop
    height = main().scrollHeight
  }
  const grown = () => {
    if (!main()) return
    if (held) scrollTo(main().scrollHeight - held)
    if (follows && below() > -GAP) scrollTo(main().scrollTop + below() + GAP)
    drawButton()
  }
  const follow = () => { follows = true; grown() }

  // --- the reader ---

  // An upward movement ends following before the page has moved: of a smooth movement, the first step may be so small that
  // it is lost when the text grows in the same frame. What scrolls by itself inside the page does not count.
  const up = target => {
    if (!main()?.contains(target)) return
    for (let each = target; each !== main(); each = each.parentElement) if (each.scrollTop > 0) return
    if (main().scrollTop > 0) follows = false
  }
  const hold = () => {
    follows = false
    held = main().scrollHeight - main().scrollTop
    setTimeout(release, 5000)
  }
  const release = () => held = undefined
  const listen = (name, act) => document.addEventListener(name, act, {capture: true, passive: true})
  listen("wheel", event => event.deltaY < 0 && up(event.target))
  for (const name of ["wheel", "touchmove", "keydown"]) listen(name, release)
  let finger
  listen("touchstart", event => finger = event.touches[0].clientY)
  listen("touchmove", event => {
    if (event.touches[0].clientY > finger) up(event.target)
    finger = event.touches[0].clientY
  })
  listen("pointerdown", event => {  // on the scrollbar
    if (event.target === main() && event.offsetX >= main().clientWidth) follows = false
  })
  listen("keydown", ({target, key, shiftKey}) => {
    if (target.matches(PROMPT) || target === document.body) {  // these keys would not scroll
      const page = {PageUp: -1, PageDown: 1}[key]
      if (!page || target.scrollHeight > target.clientHeight + 1 && target !== document.body) return
      if (page < 0) up(main())
      main().scrollBy({top: page * 0.85 * (main().clientHeight - bottom().clientHeight)})
    } else if (target.closest("input, textarea, select, [contenteditable], [role]:not([role=button])")) return
    else if (["PageUp", "Home", "ArrowUp"].includes(key) || key === " " && shiftKey) up(target)
    else if (key === "End") follow()
  })
  listen("click", ({target}) => {
    if (target.closest("summary")) follows = false  // the reader wants to see what is inside
    if (target.closest(".st-key-earlier")) hold()
    followFocus(target.closest("button"))
    // These buttons are about to disappear, or to stand for another message.
    if (target.closest(".st-key-stop, [class*=st-key-send_now_], [class*=st-key-take_back_]")) focusPrompt()
  })
  // Everything else that moves the page: the scrollbar, a text that was searched for, a focused element.
  listen("scroll", ({target}) => {
    if (target !== main()) return
    const {scrollTop, scrollHeight} = target
    if (scrollTop < top - 1 && scrollHeight >= height) follows = false
    else if (scrollTop > top && below() < NEAR) follows = true
    top = scrollTop
    height = scrollHeight
    drawButton()
  })

  // --- the button that leads to the end ---

  const button = document.createElement("button")
  button.className = "scroll-to-end"
  button.type = "button"
  button.addEventListener("click", () => { follow(); focusPrompt() })
  const drawButton = () => {
    button.hidden = below() <= FAR
    const place = bottom()?.firstElementChild
    if (place && button.parentElement !== place) place.append(button)
  }

  // --- the focus ---

  // On a touch screen the focus would open the keyboard.
  const focusPrompt = (tries = 50) => {
    if (!matchMedia("(pointer: fine)").matches || find("[role=dialog]")) return
    const prompt = find(PROMPT)
    if (prompt) prompt.focus({preventScroll: true})
    else if (tries) setTimeout(focusPrompt, 100, tries - 1)
  }

  // A button that has been clicked may disappear, and with it the focus.
  const followFocus = (button, tries = 50) => {
    if (!button || !tries) return
    if (button.isConnected) setTimeout(followFocus, 100, button, tries - 1)
    else if (document.activeElement === document.body) focusPrompt()
  }

  const observer = new ResizeObserver(grown)
  return {
    // Called whenever the conversation is drawn. `number` is that of the turn: another thread was opened, or the user
    // asked for an answer. Only then does the page move by itself.
    begin(number, empty, label) {
      observer.disconnect()
      const messages = marker()?.parentElement.closest("[data-testid=stVerticalBlock]")
      const page = find("[data-testid=stMainBlockContainer]")  // the earlier messages, too
      for (const each of [messages, page, main(), bottom()]) if (each) observer.observe(each)
      button.ariaLabel = button.title = label
      if (number === turn) return
      if (turn === undefined || empty) focusPrompt()
      turn = number
      follows = !empty
      if (empty) scrollTo(0)
    },
  }
})()
