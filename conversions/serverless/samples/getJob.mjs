import { setTimeout } from "node:timers/promises";

let answer;
do {
  await setTimeout(1000);
  answer = await fetch(`https://api.example.com/v1/jobs/${process.env.JOB}`, {
    headers: { "x-api-key": process.env.API_KEY },
  });
} while (answer.status === 404); // a job that still waits in the queue is not found yet
if (!answer.ok) throw new Error(await answer.text());
console.log((await answer.json()).state);
