// Where files come from: chosen, dropped anywhere on the page, in folders, or pasted.

import { add } from "./transfers.js";

const form = document.getElementById("upload-form");
const over = document.getElementById("drop-over");

const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
const isHidden = (name) => name.startsWith("."); // .DS_Store and the like, which nobody means

// A browser gives a folder's entries in parts, until a part is empty.
async function entriesOf(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) {
      return all;
    }
    all.push(...part);
  }
}

async function* filesBelow(entries) {
  for (const entry of entries) {
    if (entry.isFile) {
      yield await new Promise((resolve, reject) => entry.file(resolve, reject));
    } else {
      const inside = await entriesOf(entry);
      yield* filesBelow(inside.filter(({ name }) => !isHidden(name)));
    }
  }
}

async function take(data) {
  // Entries are gone once this event is over, so they are taken first.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) {
    add([...data.files]);
    return;
  }
  for await (const file of filesBelow(entries)) {
    add([file]);
  }
}

if (form) {
  const input = document.getElementById("upload-file");
  const folder = document.getElementById("upload-folder");
  const folderButton = document.getElementById("upload-folder-button");

  form.addEventListener("submit", (event) => event.preventDefault());
  for (const chooser of [input, folder]) {
    chooser.addEventListener("change", () => {
      add([...chooser.files].filter(({ name }) => chooser === input || !isHidden(name)));
      chooser.value = "";
    });
  }
  form.querySelector(".drop__ways").hidden = false;
  folderButton.hidden = !("webkitdirectory" in folder);
  folderButton.addEventListener("click", () => folder.click());

  document.addEventListener("dragenter", (event) => {
    if (hasFiles(event) && !document.querySelector("dialog[open]")) {
      over.hidden = false;
    }
  });
  document.addEventListener("dragover", (event) => {
    if (hasFiles(event)) {
      event.preventDefault(); // or the browser would leave the page to show the file
    }
  });
  over.addEventListener("dragleave", () => (over.hidden = true));
  document.addEventListener("drop", (event) => {
    over.hidden = true;
    if (hasFiles(event)) {
      event.preventDefault();
      take(event.dataTransfer);
    }
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length > 0) {
      event.preventDefault();
      add([...event.clipboardData.files]);
    }
  });
}
