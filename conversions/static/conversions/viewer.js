// Before and after, in one frame: a variant over the original, with a slider, or beside it.

const viewer = document.getElementById("viewer");
const stage = document.getElementById("viewer-stage");
const before = document.getElementById("viewer-before");
const after = document.getElementById("viewer-after");
const slider = document.getElementById("viewer-at");
const text = document.getElementById("viewer-text");
const variants = document.getElementById("viewer-variants");
const modes = document.getElementById("viewer-modes");
const SMALLEST = 320; // pixels, of what a smaller variant is shown in
const EXCERPT = 4096; // bytes of a text
const part = (name) => document.getElementById(`viewer-${name}`);

let shown; // the tile

function move() {
  stage.style.setProperty("--at", `${slider.value}%`);
}

async function showText(url) {
  const tile = shown;
  text.textContent = "";
  try {
    const answer = await fetch(url, { headers: { range: `bytes=0-${EXCERPT - 1}` } });
    if (!answer.ok) {
      throw new Error(`${answer.status}`);
    }
    const found = (await answer.text()).slice(0, EXCERPT);
    if (tile === shown) {
      text.textContent = found.length < EXCERPT ? found : `${found}\n…`;
    }
  } catch {
    text.textContent = text.dataset.textFailed;
  }
}

function show(tile) {
  shown = tile;
  const article = tile.closest("article");
  const isText = "text" in tile.dataset;
  const hasOriginal = "sourceShown" in article.dataset && !isText;
  part("title").textContent = article.dataset.name;
  part("source").textContent = article.dataset.sourceFacts;
  part("facts").textContent = tile.dataset.facts;
  part("saved").textContent = tile.dataset.saved ?? "";
  part("download").href = `${tile.dataset.url}?download`;
  text.hidden = !isText;
  stage.hidden = isText;
  modes.hidden = !hasOriginal;
  stage.dataset.alone = !hasOriginal;
  if (isText) {
    showText(tile.dataset.url);
    return;
  }
  after.src = tile.dataset.url;
  if (hasOriginal) {
    before.src = article.dataset.source;
  } else {
    before.removeAttribute("src");
  }
  // Both in the variant's frame, the original cropped as the variant is.
  const { width, height, frame, focus } = tile.dataset;
  stage.style.setProperty("--ratio", `${width} / ${height}`);
  stage.style.setProperty("--shape", width / height);
  stage.style.setProperty("--most", `${Math.max(width, SMALLEST)}px`);
  before.style.objectFit = frame;
  before.style.objectPosition = focus;
}

function choice(tile, isChosen) {
  const label = document.createElement("label");
  const radio = document.createElement("input");
  const name = document.createElement("span");
  Object.assign(radio, { type: "radio", name: "viewer-variant", checked: isChosen });
  radio.addEventListener("change", () => show(tile));
  name.textContent = tile.dataset.name;
  label.append(radio, " ", name);
  return label;
}

function open(tile) {
  const tiles = [...tile.parentElement.querySelectorAll(".variant[data-url]")];
  variants.querySelectorAll("label").forEach((label) => label.remove());
  variants.append(...tiles.map((each) => choice(each, each === tile)));
  slider.value = 50;
  move();
  show(tile);
  viewer.showModal();
  variants.querySelector(":checked").focus();
}

document.getElementById("gallery").addEventListener("click", (event) => {
  const picture = event.target.closest("[data-view]");
  if (picture && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    open(picture.closest(".variant"));
  }
});
slider.addEventListener("input", move);
// On the pictures themselves it can be dragged, too.
for (const kind of ["pointerdown", "pointermove"]) {
  stage.addEventListener(kind, (event) => {
    const frame = event.target.closest(".viewer__frame");
    if (frame && event.buttons === 1 && stage.dataset.mode === "slider") {
      const { left, width } = frame.getBoundingClientRect();
      slider.value = (100 * (event.clientX - left)) / width;
      move();
    }
  });
}
stage.addEventListener("dragstart", (event) => event.preventDefault());
modes.addEventListener("change", (event) => (stage.dataset.mode = event.target.value));
// Nothing large is to go on loading for a dialog that is closed.
viewer.addEventListener("close", () => [before, after].forEach((image) => image.removeAttribute("src")));
