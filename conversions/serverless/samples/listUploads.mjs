const query = new URLSearchParams({ state: "done" });
let cursor;
do {
  const answer = await fetch(`https://api.example.com/v1/uploads?${query}`, {
    headers: { "x-api-key": process.env.API_KEY },
  });
  if (!answer.ok) throw new Error(await answer.text());
  const page = await answer.json();
  for (const upload of page.uploads) console.log(upload.id, upload.filename);
  cursor = page.next_cursor;
  query.set("cursor", cursor);
} while (cursor);
