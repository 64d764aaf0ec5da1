// News of the gallery: one request for all that is unfinished, only while something is and somebody can see it.
// What did not change is left as it stands, so pictures do not flicker and what is open or chosen stays so.

const gallery = document.getElementById("gallery");
const LATER = 15; // seconds, after a request that failed
const SOON = 300; // milliseconds
let timer;
let soon;
let isAsking = false;
let isPoked = false;
const wanted = new Set(); // ids of what was changed, or made, from here

const articles = () => [...gallery.querySelectorAll("article")];

function address() {
  const query = new URLSearchParams(gallery.dataset.search);
  const unfinished = articles().filter(({ dataset }) => dataset.askAgain);
  const ids = new Set([...wanted, ...unfinished.map(({ dataset }) => dataset.id)]);
  const asked = [...ids].slice(0, Number(gallery.dataset.most));
  const shown = (id) => document.getElementById(`upload-${id}`)?.dataset.version ?? "";
  asked.forEach((id) => wanted.delete(id));
  query.set("known", asked.map((id) => `${id}.${shown(id)}`).join(","));
  if ("newest" in gallery.dataset) {
    query.set("after", gallery.querySelector("article")?.dataset.cursor ?? "0-0");
  }
  return `${gallery.dataset.news}?${query}`;
}

// Keep the nodes of what looks the same, above all its pictures.
function keepSame(old, next) {
  for (const tile of next.querySelectorAll(".variant")) {
    const before = document.getElementById(tile.id);
    if (before?.isEqualNode(tile)) {
      tile.replaceWith(before);
    }
  }
  const [was, is] = [old, next].map((article) => article.querySelector(".upload__pick"));
  if (was && is) {
    is.checked = was.checked;
  }
}

function place(next) {
  const old = document.getElementById(next.id);
  if ("gone" in next.dataset) {
    old?.remove();
  } else if (old) {
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("class") : null;
    keepSame(old, next);
    old.replaceWith(next);
    if (focused) {
      next.getElementsByClassName(focused)[0]?.focus({ preventScroll: true });
    }
  } else {
    const after = articles().find((article) => isNewer(next.dataset.cursor, article.dataset.cursor));
    gallery.insertBefore(next, after ?? null);
  }
}

// By "<microseconds>-<id>".
function isNewer(one, other) {
  const [at, id] = one.split("-").map(Number);
  const [otherAt, otherId] = other.split("-").map(Number);
  return at > otherAt || (at === otherAt && id > otherId);
}

// The page stays as long as it was: what is pushed off it is on the next one.
function trim() {
  const all = articles();
  const most = Number(gallery.dataset.most);
  if (all.length <= most) {
    return;
  }
  all.slice(most).forEach((article) => article.remove());
  const older = document.getElementById("older");
  const query = new URLSearchParams(older.search);
  query.set("before", all[most - 1].dataset.cursor);
  older.search = query;
  older.hidden = false;
}

export function addUp() {
  const sum = (name) => articles().reduce((total, article) => total + Number(article.dataset[name]), 0);
  const [originals, variants] = [sum("originals"), sum("variants")];
  const shown = document.getElementById("page-savings");
  if (shown) {
    const percent = originals ? Math.min(99, Math.round((100 * (originals - variants)) / originals)) : 0;
    shown.textContent = shown.dataset.text.replace("{percent}", `${percent} %`);
    shown.hidden = percent <= 0;
  }
}

function apply(html) {
  const fragment = document.createRange().createContextualFragment(html);
  for (const article of [...fragment.querySelectorAll("article")].reverse()) {
    place(article);
    htmx.process(article);
  }
  trim();
  addUp();
  gallery.dispatchEvent(new Event("change", { bubbles: true })); // what was chosen may be gone
}

async function ask() {
  clearTimeout(timer);
  if (isAsking) {
    isPoked = true;
    return;
  }
  isAsking = true;
  isPoked = false;
  let seconds;
  try {
    const answer = await fetch(address(), { headers: { accept: "text/html" } });
    if (answer.ok && !answer.redirected) {
      apply(await answer.text());
    } else {
      seconds = LATER;
    }
  } catch {
    seconds = LATER;
  }
  isAsking = false;
  schedule(seconds);
}

function schedule(seconds) {
  const waits = articles().map((article) => Number(article.dataset.askAgain ?? Infinity));
  const next = isPoked || wanted.size > 0 ? 1 : (seconds ?? Math.min(...waits));
  if (next !== Infinity && !document.hidden) {
    timer = setTimeout(ask, next * 1000);
  }
}

// Something was changed from here: look soon, however many changes there are.
export function poke(...ids) {
  ids.forEach((id) => wanted.add(id));
  soon ??= setTimeout(() => {
    soon = null;
    ask();
  }, SOON);
}

document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : schedule()));
schedule();
