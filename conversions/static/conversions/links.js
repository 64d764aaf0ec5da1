// Links to an upload, in a dialog over the page. Without this they are a page of their own.

import { poke } from "./news.js";

const dialog = document.getElementById("links");

dialog?.addEventListener("htmx:afterSwap", () => {
  if (!dialog.open) {
    dialog.showModal();
  }
});
dialog?.addEventListener("close", () => document.getElementById("links-body").replaceChildren());
// Whether an upload is public stands in the gallery.
dialog?.addEventListener("htmx:afterRequest", () => {
  poke(document.getElementById("links-of-upload").dataset.upload);
});
