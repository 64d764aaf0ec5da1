// Choosing, deleting with a way back, trying again. Without this the forms do it, one page load each.

import { addUp, poke } from "./news.js";
import { post } from "./requests.js";

const SHOWN_FOR = 12_000; // milliseconds; the server lets undo for a minute
const gallery = document.getElementById("gallery");
const bar = document.getElementById("picked");
const toast = document.getElementById("toast");
const said = document.getElementById("toast-said");
const undo = document.getElementById("toast-undo");
let toastTimer;
let takeBack = () => {};

const picks = () => [...gallery.querySelectorAll(".upload__pick")];
const picked = () => picks().filter((pick) => pick.checked);

function say(text, onUndo) {
  said.textContent = text;
  undo.hidden = !onUndo;
  takeBack = onUndo ?? (() => {});
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.hidden = true), SHOWN_FOR);
}

async function act(address, ids) {
  try {
    const [isDone, answer] = await post(address, ids.map((id) => ["upload", id]));
    if (!isDone) {
      say(answer.error);
    }
    return isDone ? answer : null;
  } catch {
    say(toast.dataset.textFailed);
    return null;
  }
}

// Taken off the page at once; put back where the portal says no, or the user does.
async function remove(address, ids) {
  const places = ids.map((id) => {
    const article = document.getElementById(`upload-${id}`);
    const mark = document.createComment("deleted");
    article.before(mark);
    article.remove();
    return () => mark.isConnected && mark.replaceWith(article);
  });
  const putBack = () => {
    places.forEach((place) => place());
    changed();
  };
  changed();
  const answer = await act(address, ids);
  if (!answer) {
    putBack();
    return;
  }
  say(answer.said, async () => {
    const undone = await act(answer.undo, ids);
    if (undone) {
      putBack();
      say(undone.said);
      poke(...ids);
    }
  });
  undo.focus({ preventScroll: true });
}

function changed() {
  addUp();
  count();
}

function count() {
  if (!bar) {
    return;
  }
  const [all, chosen] = [picks(), picked()];
  const label = document.getElementById("picked-count");
  bar.hidden = chosen.length === 0;
  label.textContent = label.dataset.text.replace("{count}", chosen.length);
  const pickAll = document.getElementById("pick-all");
  pickAll.checked = chosen.length > 0 && chosen.length === all.length;
  pickAll.indeterminate = chosen.length > 0 && chosen.length < all.length;
}

if (toast) {
  undo.addEventListener("click", () => {
    toast.hidden = true;
    takeBack();
  });

  gallery.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!("act" in form.dataset)) {
      return;
    }
    event.preventDefault();
    const { id } = form.closest("article").dataset;
    if (form.dataset.act === "delete") {
      remove(form.action, [id]);
      return;
    }
    const answer = await act(form.action, []);
    if (answer) {
      say(answer.said);
      poke(id);
    }
  });

  const selection = document.getElementById("selection");
  selection.addEventListener("submit", (event) => {
    event.preventDefault();
    const ids = picked().map((pick) => pick.value);
    if (event.submitter.dataset.picked === "delete") {
      remove(selection.action, ids);
      return;
    }
    const query = new URLSearchParams(ids.map((id) => ["upload", id]));
    if (selection.elements.originals.checked) {
      query.set("originals", "1");
    }
    location.assign(`${event.submitter.formAction}?${query}`);
  });

  document.getElementById("pick-all").addEventListener("change", (event) => {
    picks().forEach((pick) => (pick.checked = event.target.checked));
    count();
  });
  gallery.addEventListener("change", count);
  count();
}
