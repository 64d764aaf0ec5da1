// Sizes as Django's filesizeformat writes them, in the page's language.

const UNITS = ["KB", "MB", "GB"];

export function readable(bytes) {
  let value = bytes / 1024;
  const unit = UNITS.find((_, index) => index === UNITS.length - 1 || value < 1024 || !(value /= 1024));
  const number = value.toLocaleString(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return `${number}\u00a0${unit}`;
}
