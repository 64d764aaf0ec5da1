// Posts to the portal, as htmx sends them: with the token that base.html gives.

export async function post(address, values) {
  const body = new URLSearchParams(values);
  const headers = { accept: "application/json", ...JSON.parse(document.body.getAttribute("hx-headers")) };
  const answer = await fetch(address, { method: "POST", body, headers });
  if (answer.redirected) {
    throw Object.assign(new Error("signed out"), { isSignedOut: true });
  }
  return [answer.ok, await answer.json()];
}
