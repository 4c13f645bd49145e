/**
 * `midflight dev` under edits and load at once: 100 edits a second for a minute, in every way that editors and git write
 * files. No edit may be lost, no request may fail, and no answer may be made by two versions of the code.
 *
 *   node scripts/dev-stress.ts [--seconds 60] [--rate 100]
 */

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createTestDev, type TestDev } from '../test/support/dev.ts';
import { startLoad } from './load/load.ts';

const PARTS = 8;
/** What was saved last is served within this time, on the busiest machine. */
const TAKEN_IN_MS = 10_000;

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, rate: { type: 'string', default: '100' } },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);

const names = Array.from({ length: PARTS }, (_, index) => `part${index}`);
const toPart = (name: string, text: string): string => `export const ${name}: string = '${text}';\n`;

const server = `
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { version } from './version.ts';
const server = http.createServer(async (request, response) => {
  const before = version();
  await sleep(Number(new URL(request.url ?? '/', 'http://x').searchParams.get('ms') ?? 3));
  response.end(JSON.stringify({ version: before, versionAfter: version() }));
});
server.listen(Number(process.env.PORT), '127.0.0.1');
`;
const version = `${names.map((name) => `import { ${name} } from './${name}.ts';`).join('\n')}
export const version = (): string => [${names.join(', ')}].join(' ');
`;

const dev = await createTestDev({
  'server.ts': server,
  'version.ts': version,
  ...Object.fromEntries(names.map((name) => [`${name}.ts`, toPart(name, '0')])),
});
try {
  process.exitCode = (await stress(dev)) ? 0 : 1;
} finally {
  await dev.dispose();
}

async function stress(app: TestDev): Promise<boolean> {
  app.start('server.ts');
  await app.next('serving');
  const load = startLoad({ origin: app.origin, clients: { keepAlive: 6, newConnection: 1, slow: 2 } });
  const texts = await edit(app);
  const wanted = names.map((name) => texts.get(name) ?? '0').join(' ');
  const lateMs = await waitUntilServed(app, wanted);
  const { requests, failures, versions, latencyMs } = await load.stop();
  const swaps = app.all('swapped');
  const durations = swaps.map(({ durationMs }) => durationMs).toSorted((a, b) => a - b);
  const report = {
    edits: seconds * rate,
    swaps: swaps.length,
    swapMs: { median: durations.at(durations.length >> 1), max: durations.at(-1) },
    failedSwaps: app.all('failed').length,
    processesEnded: app.all('ended').length,
    isLastEditServed: lateMs !== null,
    lastEditServedAfterMs: lateMs,
    requests,
    failures: failures.slice(0, 5),
    versionsSeen: versions.size,
    latencyMs,
  };
  console.log(JSON.stringify(report, null, 2));
  return lateMs !== null && failures.length === 0 && report.processesEnded === 0;
}

/** Edits one file after the other, at the rate; gives what each has in the end. */
async function edit(app: TestDev): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  const startedAt = performance.now();
  for (let count = 1; count <= seconds * rate; count++) {
    const name = names[(count * 5) % PARTS] ?? 'part0';
    texts.set(name, String(count));
    save(path.join(app.directory, `${name}.ts`), toPart(name, String(count)), count);
    const aheadMs = startedAt + (count * 1_000) / rate - performance.now();
    if (aheadMs > 1) await sleep(aheadMs);
  }
  return texts;
}

/** In place, beside and renamed over, or deleted and written anew. */
function save(file: string, content: string, count: number): void {
  if (count % 3 === 0) {
    writeFileSync(`${file}.tmp`, content);
    renameSync(`${file}.tmp`, file);
    return;
  }
  if (count % 7 === 0) rmSync(file);
  writeFileSync(file, content);
}

async function waitUntilServed(app: TestDev, wanted: string): Promise<number | null> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < TAKEN_IN_MS) {
    const answer = JSON.parse(await app.get()) as { version: string };
    if (answer.version === wanted) return performance.now() - startedAt;
    await sleep(10);
  }
  return null;
}
