/** Claim: a saved file is in service sooner than under any other tool, and no connection is refused meanwhile. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { devSystems, startService, type DevSystem, type RunningService } from './dev-systems.ts';
import { toTable, versionOf, type Claim, type Row } from './report.ts';

const SAVES = 50;
const WARM_UP_SAVES = 3;
/** Watchers wait for more changes; a save must not meet the wait of the one before. */
const APART_MS = 700;
/** Between two services, so that one does not pay for what the other still does. */
const SETTLE_MS = 150;
const START_TIMEOUT_MS = 30_000;
const SEEN_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 2_000;

export const claim: Claim = {
  title: 'Swap latency: from the save of a file to the first answer of the new code',
  method:
    `A service of four TypeScript modules on node:http, the same for all but for what a tool asks for; ${SAVES} saves of the module that ` +
    `has no imports, written in place. All services run at once, and are saved in turn, in another order each round; two saves of one are at ` +
    `least ${APART_MS} ms apart, counted from the first answer, and ${WARM_UP_SAVES} saves before them are not counted. From the moment of the save one request ` +
    `after the other is made, each on a new connection, until one is answered by the new code. Not seen: saves that had not ` +
    `come into service after ${SEEN_TIMEOUT_MS / 1000} s, and were saved again. dynohot gets its types stripped by a loader of a few lines.`,
  versions: Object.fromEntries(
    ['bun', 'vite', 'hot-hook', 'dynohot', 'tsx', 'nodemon'].map((name) => [name, versionOf(name)]),
  ),
  async measure(log) {
    const subjects: Subject[] = [];
    for (const system of devSystems) {
      const subject = await start(system, log);
      if (subject !== null) subjects.push(subject);
    }
    for (let round = 1 - WARM_UP_SAVES; round <= SAVES; round++) {
      for (const subject of shuffle(subjects)) await measureSave(subject, round);
      log(
        `save ${round}: ${subjects.map(({ service, ms }) => `${service.name} ${ms.at(-1)?.toFixed(1) ?? '-'}`).join(', ')}`,
      );
    }
    for (const { service } of subjects) service.stop();
    return toTable(toRows(subjects));
  },
};

interface Subject {
  readonly service: RunningService;
  readonly ms: number[];
  refused: number;
  cut: number;
  unseen: number;
  requests: number;
  readyAt: number;
}

async function start(system: DevSystem, log: (line: string) => void): Promise<Subject | null> {
  const service = await startService(system);
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadline && !service.hasExited()) {
    if ((await request(service.port)).body === 'v0')
      return { service, ms: [], refused: 0, cut: 0, unseen: 0, requests: 0, readyAt: performance.now() };
    await sleep(20);
  }
  log(`${system.name} did not start:\n${service.output()}`);
  service.stop();
  return null;
}

async function measureSave(subject: Subject, round: number): Promise<void> {
  await sleep(Math.max(SETTLE_MS, subject.readyAt + APART_MS - performance.now()));
  const version = `r${round}`;
  subject.service.save(version);
  const savedAt = performance.now();
  const counts = await untilAnswered(subject.service, version, savedAt);
  subject.readyAt = performance.now();
  if (round <= 0) return;
  subject.refused += counts.refused;
  subject.cut += counts.cut;
  subject.requests += counts.requests;
  if (counts.isSeen) subject.ms.push(subject.readyAt - savedAt);
  else subject.unseen += 1;
}

interface SaveCounts {
  isSeen: boolean;
  requests: number;
  refused: number;
  cut: number;
}

async function untilAnswered(service: RunningService, version: string, savedAt: number): Promise<SaveCounts> {
  const counts: SaveCounts = { isSeen: true, requests: 0, refused: 0, cut: 0 };
  let deadline = savedAt + SEEN_TIMEOUT_MS;
  for (;;) {
    const { body, errorCode } = await request(service.port);
    if (body === version) return counts;
    counts.requests += 1;
    if (errorCode === 'ECONNREFUSED') counts.refused += 1;
    else if (errorCode !== null) counts.cut += 1;
    if (performance.now() < deadline) continue;
    if (service.hasExited()) throw new Error(`${service.name} has ended:\n${service.output()}`);
    counts.isSeen = false;
    deadline = performance.now() + SEEN_TIMEOUT_MS;
    service.save(version);
  }
}

interface Outcome {
  readonly body: string | null;
  readonly errorCode: string | null;
}

/** One request on a connection of its own, with as little around it as can be. */
async function request(port: number): Promise<Outcome> {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true).setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const answer = await text(socket);
    const isComplete = answer.startsWith('HTTP/1.1 200');
    return isComplete
      ? { body: answer.slice(answer.indexOf('\r\n\r\n') + 4), errorCode: null }
      : { body: null, errorCode: 'INCOMPLETE' };
  } catch (error) {
    // So that a port where nobody is does not keep a processor busy.
    await sleep(1);
    return { body: null, errorCode: (error as NodeJS.ErrnoException).code ?? 'TIMEOUT' };
  } finally {
    socket.destroy();
  }
}

function toRows(subjects: readonly Subject[]): Row[] {
  const ours = subjects.find(({ service }) => service.name === 'midflight dev');
  const base = ours === undefined ? null : quantile(ours.ms, 0.5);
  return subjects.map(({ service, ms, refused, cut, unseen, requests }) => ({
    '': service.name,
    'median, relative': base === null ? '' : `${(quantile(ms, 0.5) / base).toFixed(2)} ×`,
    'median, ms': quantile(ms, 0.5).toFixed(1),
    'p95, ms': quantile(ms, 0.95).toFixed(1),
    'connections refused': refused,
    'cut, or no 200': cut,
    'requests meanwhile': requests,
    'saves not seen': unseen,
  }));
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

function shuffle<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((left, right) => left.at - right.at)
    .map(({ item }) => item);
}
