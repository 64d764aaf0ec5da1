// Files on their way: ask the portal for a form, post the file straight to the storage, a few at a time.
// Rows are drawn once per frame however much happens, so that hundreds of files do not freeze the page.

import { poke } from "./news.js";
import { post } from "./requests.js";

const AT_ONCE = 4;
const SAY_EVERY = 10_000; // milliseconds between what a screen reader is told
const UNSENT = new Set(["failed", "cancelled"]);

const form = document.getElementById("upload-form");
const panel = document.getElementById("transfers");
const list = document.getElementById("upload-progress");
const said = document.getElementById("transfers-said");
const texts = panel?.dataset;
const transfers = new Set();
let running = 0;
let lastSaid = 0;
let isDrawn = true;

class Stopped extends Error {}

class Transfer {
  constructor(file) {
    this.file = file;
    this.state = "waiting";
    this.sent = 0; // of 1
    this.note = "";
    this.row = document.getElementById("transfer").content.firstElementChild.cloneNode(true);
    this.row.querySelector(".transfer__name").textContent = file.name;
    this.row.querySelector("progress").setAttribute("aria-label", file.name);
    this.row.querySelectorAll("[data-name]").forEach((label) => (label.textContent = ` ${file.name}`));
    this.row.transfer = this;
    const error = file.size === 0 ? texts.textEmpty : file.size > Number(form.dataset.largest) ? texts.textLarge : "";
    if (error) {
      this.end("failed", error);
      this.isHopeless = true;
    }
  }

  end(state, note = "") {
    this.state = state;
    this.note = note;
    changed(this);
  }

  async run() {
    this.state = "running";
    this.sent = 0;
    changed(this);
    let id;
    try {
      const { name, size, type } = this.file;
      const [isGiven, given] = await post(form.action, { name, size, type });
      if (!isGiven) {
        this.end("failed", given.error);
        return;
      }
      id = given.id;
      poke(id);
      await this.send(given);
      this.sent = 1;
      this.end("sent", texts.textSent);
    } catch (error) {
      if (error instanceof Stopped) {
        this.end("cancelled", texts.textCancelled);
      } else {
        this.end("failed", error.isSignedOut ? texts.textSignedOut : error.isRefused ? texts.textRefused : texts.textNetwork);
      }
      if (id) {
        // Nobody is to wait for what was never sent. Where this fails too, the portal stops waiting after an hour.
        await post(form.dataset.delete, { upload: id }).catch(() => {});
      }
    }
    poke();
  }

  // fetch() cannot tell how much of a body has been sent; XMLHttpRequest can.
  send({ url, fields }) {
    if (this.state === "cancelled") {
      throw new Stopped();
    }
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) {
      body.append(name, value);
    }
    body.append("file", this.file); // the storage wants it last
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open("POST", url);
      request.upload.addEventListener("progress", (event) => {
        this.sent = event.lengthComputable ? event.loaded / event.total : 0;
        changed(this);
      });
      request.addEventListener("load", () =>
        request.status < 300 ? resolve() : reject(Object.assign(new Error(`${request.status}`), { isRefused: true })),
      );
      request.addEventListener("error", () => reject(new Error("network")));
      request.addEventListener("abort", () => reject(new Stopped()));
      request.send(body);
    });
  }

  cancel() {
    if (this.state === "waiting") {
      this.end("cancelled", texts.textCancelled);
    } else if (this.state === "running") {
      this.state = "cancelled";
      this.request?.abort();
    }
  }

  retry() {
    if (UNSENT.has(this.state) && !this.isHopeless) {
      this.end("waiting");
      start();
    }
  }

  draw() {
    const { row } = this;
    row.dataset.state = this.state;
    row.querySelector("progress").value = this.sent;
    row.querySelector(".transfer__note").textContent = this.state === "waiting" ? texts.textWaiting : this.note;
    row.querySelector("[data-transfer='cancel']").hidden = !["waiting", "running"].includes(this.state);
    row.querySelector("[data-transfer='retry']").hidden = !UNSENT.has(this.state) || Boolean(this.isHopeless);
  }
}

const dirty = new Set();

function changed(transfer) {
  dirty.add(transfer);
  if (isDrawn) {
    isDrawn = false;
    requestAnimationFrame(draw);
  }
}

function draw() {
  isDrawn = true;
  dirty.forEach((transfer) => transfer.draw());
  dirty.clear();
  const all = [...transfers];
  const of = (...states) => all.filter(({ state }) => states.includes(state)).length;
  const [sent, failed, open] = [of("sent"), of("failed", "cancelled"), of("waiting", "running")];
  const sum = (failed ? texts.textFailed : texts.textBusy)
    .replace("{sent}", sent)
    .replace("{all}", all.length)
    .replace("{failed}", failed);
  document.getElementById("transfers-sum").textContent = sum;
  document.getElementById("transfers-bar").value =
    all.reduce((total, transfer) => total + (UNSENT.has(transfer.state) ? 1 : transfer.sent), 0) / (all.length || 1);
  const button = (name) => panel.querySelector(`[data-transfers='${name}']`);
  button("cancel").hidden = open === 0;
  button("clear").hidden = open > 0;
  button("retry").hidden = !all.some((transfer) => UNSENT.has(transfer.state) && !transfer.isHopeless);
  if (open === 0 || Date.now() - lastSaid > SAY_EVERY) {
    said.textContent = sum;
    lastSaid = Date.now();
  }
}

function start() {
  while (running < AT_ONCE) {
    const next = [...transfers].find(({ state }) => state === "waiting");
    if (!next) {
      return;
    }
    running += 1;
    next.run().finally(() => {
      running -= 1;
      start();
    });
  }
}

export function add(files) {
  if (files.length === 0) {
    return;
  }
  panel.hidden = false;
  const rows = document.createDocumentFragment();
  for (const file of files) {
    const transfer = new Transfer(file);
    transfers.add(transfer);
    rows.append(transfer.row);
    changed(transfer);
  }
  list.append(rows);
  start();
}

panel?.addEventListener("click", (event) => {
  const transfer = event.target.closest("[data-transfer]");
  if (transfer) {
    transfer.closest(".transfer").transfer[transfer.dataset.transfer]();
  }
  switch (event.target.dataset.transfers) {
    case "cancel":
      transfers.forEach((each) => each.cancel());
      break;
    case "retry":
      transfers.forEach((each) => each.retry());
      break;
    case "clear":
      transfers.clear();
      list.replaceChildren();
      panel.hidden = true;
      break;
  }
});

// Leaving the page would end what is on its way.
addEventListener("beforeunload", (event) => {
  if (running > 0) {
    event.preventDefault();
  }
});
