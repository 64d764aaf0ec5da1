import { setTimeout } from "node:timers/promises";

let execution;
do {
  await setTimeout(1000);
  const answer = await fetch(
    `https://api.example.com/v1/workflows/ingest/${process.env.EXECUTION}`,
    { headers: { "x-api-key": process.env.API_KEY } },
  );
  if (!answer.ok) throw new Error(await answer.text());
  execution = await answer.json();
} while (execution.state === "running");
console.log(execution.state);
