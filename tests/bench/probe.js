// In the page, before its own scripts: how many bytes came in, how far the layout has shifted, when Enter was
// pressed, and when which word was seen: at the end of the frame in which it stands in the last message. Times are performance.now().
(() => {
  const probe = { received: 0, shift: 0, pressed: 0, seen: null };
  window.probe = probe;

  window.WebSocket = new Proxy(window.WebSocket, {
    construct(target, given) {
      const socket = new target(...given);
      socket.addEventListener("message", ({ data }) => (probe.received += data.byteLength ?? data.size ?? data.length));
      return socket;
    },
  });
  const shifts = (list) => list.getEntries().forEach((each) => each.hadRecentInput || (probe.shift += each.value));
  new PerformanceObserver(shifts).observe({ type: "layout-shift", buffered: true });

  const note = (event) => event.key === "Enter" && (probe.pressed = event.timeStamp);
  document.addEventListener("keydown", note, { capture: true });

  const { port1, port2 } = new MessageChannel(); // a message arrives after the frame that it was sent in
  const waiting = [];
  port1.onmessage = () => waiting.shift()(performance.now());
  const afterPaint = (then) => {
    waiting.push(then);
    port2.postMessage(0);
  };

  // Makes `probe.seen` the promise of when two words were seen; never, if not in so many seconds.
  probe.watch = (answers, first, last, seconds) => {
    const times = {};
    let changed = true;
    let watching = true;
    const changes = new MutationObserver(() => (changed = true));
    changes.observe(document.body, { subtree: true, childList: true, characterData: true });
    probe.seen = new Promise((resolve) => {
      const end = (moment) => {
        watching = false;
        changes.disconnect();
        clearTimeout(patience);
        resolve({ first: Infinity, ...times, last: moment });
      };
      const patience = setTimeout(() => end(Infinity), seconds * 1000);
      const look = () => {
        if (!watching) return;
        requestAnimationFrame(look);
        if (!changed) return;
        changed = false;
        const text = [...document.querySelectorAll(answers)].at(-1)?.textContent ?? "";
        if (!times.first && text.includes(first)) afterPaint((now) => (times.first ??= now));
        if (text.includes(last)) afterPaint((now) => watching && end(now));
      };
      requestAnimationFrame(look);
    });
  };
})();
