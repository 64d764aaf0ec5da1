// What is polled, [data-polled], asks only while somebody can see it. What changes in it for whoever cannot see it,
// [data-say], is said in the page's [data-said-of] of that name: once, when it is different, not at each poll.

const heard = new Map();

function listen() {
  for (const element of document.querySelectorAll("[data-say]")) {
    const name = element.dataset.say;
    const text = element.textContent.trim().replace(/\s+/g, " ");
    if (heard.has(name) && heard.get(name) !== text) {
      document.querySelector(`[data-said-of="${name}"]`).textContent = text;
    }
    heard.set(name, text);
  }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.matches("[data-polled]")) {
    event.preventDefault();
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    for (const element of document.querySelectorAll("[data-polled]")) {
      htmx.trigger(element, "look");
    }
  }
});
document.addEventListener("htmx:afterSettle", listen);
listen();
