// The same as _fan_outs.py, by sharp: node bench/_sharp.mjs RECIPES all|once THREADS
// "all" lets sharp read the file for each variant; "once" decodes it for the largest, and makes the
// others of that.
import { createInterface } from "node:readline";
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

const sharp = createRequire(join(process.cwd(), "var/bench/"))("sharp");
const [recipes, way, threads] = [JSON.parse(process.argv[2]), process.argv[3], process.argv[4]];
if (threads !== "default") sharp.concurrency(Number(threads));
sharp.cache(false);

const encoders = {
  jpeg: (image, quality) => image.jpeg({ quality, optimiseCoding: false }),
  webp: (image, quality) => image.webp({ quality, effort: 4 }),
  avif: (image, quality) => image.avif({ quality, effort: 1, chromaSubsampling: "4:2:0" }),
  png: (image) => image.png({ compressionLevel: 6, adaptiveFiltering: true }),
};

async function make(source, recipe) {
  let image = source().resize({ width: recipe.width, height: recipe.height ?? undefined, fit: "cover" });
  if (recipe.grayscale) image = image.greyscale();
  return [recipe.code, await encoders[recipe.format](image, recipe.quality).toBuffer()];
}

async function once(data) {
  const width = Math.max(...recipes.map((recipe) => recipe.width));
  const decoded = await sharp(data).resize({ width }).raw().toBuffer({ resolveWithObject: true });
  return () => sharp(decoded.data, { raw: decoded.info });
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, directory] = line.split("\t");
  const data = await readFile(name);
  const begun = performance.now();
  const source = way === "once" ? await once(data) : () => sharp(data);
  const made = await Promise.all(recipes.map((recipe) => make(source, recipe)));
  const milliseconds = performance.now() - begun;
  if (directory) for (const [code, bytes] of made) await writeFile(join(directory, code), bytes);
  console.log(JSON.stringify({ milliseconds, grown: 0 }));
}
