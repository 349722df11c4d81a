// Runs Python in code-sandbox and waits for the answer. Needs nothing but Node 18 or newer; `run` also works in Deno, Bun and
// behind a web page's own server. A web page itself is refused: the service answers no other origin.
//
//     node sandbox.mjs '{"values": [1, 2, 3]}' < program.py
//
// Environment: SANDBOX_URL, SANDBOX_KEY (an API key, where the service wants one), SANDBOX_PATIENCE (seconds).
import { readFileSync, realpathSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const { SANDBOX_URL = "http://127.0.0.1:8000", SANDBOX_KEY, SANDBOX_PATIENCE = "60" } = process.env;
const EXECUTE = `${SANDBOX_URL.replace(/\/+$/, "")}/execute_code`;

/** There is no answer of the code: `status` is that of HTTP, the message says why. */
export class Refused extends Error {
  constructor(status, text) {
    super(`${status}: ${text.slice(0, 1000)}`);
    this.status = status;
  }
}

/** The answer, whatever became of the code: look at its `status`. While the service is busy, asks again. Aborting `signal` ends
 *  the run in the sandbox too. */
export async function run(code, { signal, ...request } = {}) {
  const headers = { "Content-Type": "application/json" };
  if (SANDBOX_KEY) headers.Authorization = `Bearer ${SANDBOX_KEY}`;
  const body = JSON.stringify({ code, ...request });
  const deadline = Date.now() + 1000 * Number(SANDBOX_PATIENCE);
  for (;;) {
    const answer = await fetch(EXECUTE, { method: "POST", headers, body, signal });
    if (answer.ok) return await answer.json();
    const text = await answer.text();
    const pause = 1000 * Number(answer.headers.get("Retry-After") ?? 1);
    const busy = answer.status === 429 || answer.status === 503;
    if (!busy || Date.now() + pause > deadline) throw new Refused(answer.status, text);
    await sleep(pause, undefined, { signal });
  }
}

async function main([input = "{}"]) {
  const answer = await run(readFileSync(0, "utf8"), { input_data: JSON.parse(input) });
  process.stdout.write(answer.stdout);
  process.stderr.write(answer.stderr);
  if (answer.status === "ok") {
    console.log(JSON.stringify(answer.result));
  } else {
    console.error(`${answer.status}: ${answer.error}`);
    process.exitCode = 1;
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main(process.argv.slice(2)).catch((error) => {
    // A connection that fails says why in its cause.
    console.error(`no answer: ${error.cause?.message ?? error.message}`);
    process.exitCode = 1;
  });
}
