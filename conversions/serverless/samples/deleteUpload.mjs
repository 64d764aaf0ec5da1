const answer = await fetch(`https://api.example.com/v1/uploads/${process.env.UPLOAD}`, {
  method: "DELETE",
  headers: { "x-api-key": process.env.API_KEY },
});
if (!answer.ok) throw new Error(await answer.text());
console.log(answer.status);
