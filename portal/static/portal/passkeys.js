// Tell on the page where a browser gives no passkey: none is there, or its owner chose not to.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault(); // else it is logged as an error of the page's
  for (const text of document.querySelectorAll("[data-passkey-failed]")) {
    text.hidden = false;
  }
});
