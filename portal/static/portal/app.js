// Small behaviours, found by data attributes. Everything works without them, only less comfortably.

import "./key-memory.js";

const root = document.documentElement;

function isDark() {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function toggleTheme() {
  root.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // It lasts for this page only.
  }
  document.dispatchEvent(new CustomEvent("themechange"));
}

// The Clipboard API exists only on https and localhost; a portal tried over a plain LAN address has the old way.
async function copyText(source) {
  const text = source.textContent.trim();
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  getSelection().selectAllChildren(source);
  if (!document.execCommand("copy")) {
    throw new Error("copying is not allowed here");
  }
}

async function copy(button) {
  const label = button.querySelector("[data-copy-label]");
  const idle = (button.dataset.idle ??= label.textContent);
  try {
    await copyText(document.getElementById(button.dataset.copy));
    label.textContent = button.dataset.copied;
  } catch {
    label.textContent = button.dataset.failed;
  }
  clearTimeout(button.copyTimer);
  button.copyTimer = setTimeout(() => (label.textContent = idle), 2500);
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) {
      menu.open = false;
    }
  }
}

// Buttons open and close dialogs by their commands, before this script is there. Browsers before 2026 do not know them.
const hasCommands = "commandForElement" in HTMLButtonElement.prototype;

function command(button) {
  const dialog = document.getElementById(button.getAttribute("commandfor"));
  if (button.getAttribute("command") === "close") {
    dialog.close();
  } else {
    dialog.showModal();
  }
}

document.addEventListener("click", (event) => {
  const target = event.target;
  closeMenus(target.closest("details.menu"));
  if (target.closest("[data-theme-toggle]")) {
    toggleTheme();
  }
  const copyButton = target.closest("[data-copy]");
  if (copyButton) {
    copy(copyButton);
  }
  const invoker = target.closest("[commandfor]");
  if (invoker && !hasCommands) {
    command(invoker);
  }
  if (target.matches("dialog")) {
    target.close(); // a click beside what it shows
  }
});

document.addEventListener("keydown", (event) => {
  const menu = document.querySelector("details.menu[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// What a form changes is the organisation's that its page shows, whichever is chosen in another tab.
function signFor(form) {
  const { pageOf } = document.body.dataset;
  if (pageOf && !form.elements.page_of) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "page_of", value: pageOf }));
  }
}

const AGAIN_AFTER = 10_000; // ms

function release(form) {
  delete form.dataset.sent;
  for (const control of form.elements) {
    control.removeAttribute("aria-busy"); // also of a button elsewhere, with form=
  }
}

// A form that changes something is sent once: the second click of a double click is dropped. One that is answered with
// a file (data-file) leaves its page as it is, and can be sent again a little later.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) {
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  signFor(form);
  event.submitter?.setAttribute("aria-busy", "true");
  if ("file" in form.dataset) {
    setTimeout(release, AGAIN_AFTER, form);
  }
});

// The back button may bring a page back as it was left, with its forms marked as sent.
addEventListener("pageshow", (event) => {
  if (!event.persisted) {
    return;
  }
  for (const form of document.querySelectorAll("form[data-sent]")) {
    release(form);
  }
});

// After an error the keyboard starts where the error is; a new key's value is brought into view.
document.querySelector("[aria-invalid='true']")?.focus();
for (const here of document.querySelectorAll(".nav [aria-current], .tabs [aria-current]")) {
  here.scrollIntoView({ block: "nearest", inline: "center" });
}
