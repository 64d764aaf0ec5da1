// Uploads: ask the portal for a form, post the file straight to the storage, show how far it is.
"use strict";

(() => {
  const form = document.getElementById("upload-form");
  if (!form) return;
  const input = document.getElementById("upload-file");
  const list = document.getElementById("upload-progress");
  const texts = form.dataset;

  function row(name) {
    const item = document.createElement("li");
    item.className = "transfer";
    const label = document.createElement("span");
    label.textContent = name;
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", name);
    const note = document.createElement("span");
    note.className = "muted";
    item.append(label, bar, note);
    list.append(item);
    return {
      progress(share) {
        bar.value = share;
      },
      end(text, isError) {
        note.textContent = text;
        item.classList.toggle("transfer--failed", isError);
        if (isError) bar.remove();
      },
    };
  }

  // fetch() cannot tell how much of a body has been sent; XMLHttpRequest can.
  function post(url, body, onProgress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", url);
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) onProgress(event.loaded / event.total);
      });
      request.addEventListener("load", () =>
        request.status < 300 ? resolve() : reject(new Error(`${request.status}`)),
      );
      request.addEventListener("error", () => reject(new Error("network")));
      request.send(body);
    });
  }

  function token() {
    const data = new FormData();
    data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    return data;
  }

  async function send(file) {
    const shown = row(file.name);
    if (file.size === 0) return shown.end(texts.textEmpty, true);
    if (file.size > Number(texts.largest)) return shown.end(texts.textLarge, true);
    try {
      const ask = token();
      ask.set("name", file.name);
      ask.set("size", file.size);
      ask.set("type", file.type);
      const answer = await fetch(form.action, { method: "POST", body: ask });
      const given = await answer.json();
      if (!answer.ok) return shown.end(given.error, true);
      const body = new FormData();
      for (const [name, value] of Object.entries(given.fields)) body.append(name, value);
      body.append("file", file); // the storage wants it last
      document.body.dispatchEvent(new Event("uploaded"));
      try {
        await post(given.url, body, shown.progress);
      } catch (error) {
        // Nobody is to wait for what was never sent.
        const takeBack = token();
        takeBack.set("silent", "1");
        await fetch(given.delete, { method: "POST", body: takeBack });
        document.body.dispatchEvent(new Event("uploaded"));
        throw error;
      }
      shown.progress(1);
      shown.end(texts.textSent, false);
      document.body.dispatchEvent(new Event("uploaded"));
    } catch {
      shown.end(texts.textFailed, true);
    }
  }

  // One after the other: a slow line is not shared among many files.
  async function sendAll(files) {
    for (const file of files) await send(file);
  }

  input.addEventListener("change", () => {
    sendAll([...input.files]);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const kind of ["dragenter", "dragover"]) {
    form.addEventListener(kind, (event) => {
      event.preventDefault();
      form.classList.add("drop--over");
    });
  }
  for (const kind of ["dragleave", "drop"]) {
    form.addEventListener(kind, () => form.classList.remove("drop--over"));
  }
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    sendAll([...event.dataTransfer.files]);
  });
})();
