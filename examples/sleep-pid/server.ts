/** Waits as long as it is asked to, and says which process and which generation of the code it has waited in. */

import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { generation } from './generation.ts';

const SLEEP_S_MAX = 3_600;

createServer(async (request, response) => {
  // Not new URL(): it throws for a target such as "//", and nobody would catch that.
  const [, query] = (request.url ?? '/').split('?', 2);
  const seconds = Number(new URLSearchParams(query).get('sleep') ?? 0);
  if (!(seconds >= 0 && seconds <= SLEEP_S_MAX)) {
    response.statusCode = 400;
    response.end(`sleep must be a number of seconds from 0 to ${SLEEP_S_MAX}\n`);
    return;
  }
  console.log(`asked to sleep ${seconds} s`);
  await sleep(seconds * 1_000);
  response.end(`slept ${seconds} s in generation ${generation} of process ${process.pid}\n`);
}).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1');
