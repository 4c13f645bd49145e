/** Claim: live WebSockets and idle connections pass to the next process, and no client notices. */

import { json } from 'node:stream/consumers';
import http, { type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { startConversations, type ConversationOutcome } from './generators/conversation.ts';
import { startIdleConnections, type IdleOutcome } from './generators/idle.ts';
import { measureEach, versionOf, type Claim, type Result, type Row } from './report.ts';
import { startServiceApp, type ServiceApp } from './systems/service-app.ts';
import { midflight, midflightCarrying } from './systems/service-systems.ts';

const sizes = {
  least: 100,
  middle: 1_000,
  most: 10_000,
  messagesPerSecond: 3_000,
  workers: 1,
  steadyMs: 5_000,
  carryMs: 60_000,
  drainMs: 60_000,
};
const smokeSizes = { least: 10, middle: 20, most: 30, messagesPerSecond: 200, steadyMs: 500, carryMs: 3_000 };
/** What the version polls of the bench add to the arrivals is cut off at both ends. */
const ENDS_CUT = 0.05;

type Size = 'least' | 'middle' | 'most';

interface Part {
  readonly name: string;
  readonly kind: 'together' | 'each on its own' | 'idle';
  readonly size: Size;
}

const parts: readonly Part[] = (['together', 'each on its own', 'idle'] as const).flatMap((kind) =>
  (['least', 'middle', 'most'] as const).map((size) => ({
    name: `${kind === 'idle' ? 'idle keep-alive' : `WebSockets, ${kind}`}, ${size}`,
    kind,
    size,
  })),
);

export const claim: Claim = {
  title: 'Carry: live connections pass to the next process',
  method: (size) =>
    `One worker, and one handoff under ${size['least']}, ${size['middle']} and ${size['most']} open connections; no peer does this. The WebSockets together send ${size['messagesPerSecond']} ` +
    `numbered messages a second, whether answers have come or not; the service counts what each has said, the count is what is saved and restored, and each answer ` +
    `is checked against both. Together: all of them stop reading at once and go on when all have arrived, so that no broadcast misses one; each on its own: as the app may choose. ` +
    `The longest wait is from a message to its answer, in the ${(size['steadyMs'] ?? 0) / 1_000} s before the deploy and from its start until all have moved: the longest silence that a client has met. ` +
    `Idle connections have made a request before, and make the next one after the handoff, on the same connection. Moved a second: as they arrive in the new process, the first and last ${ENDS_CUT * 100} % left out.`,
  versions: { ws: versionOf('ws') },
  sizes,
  smokeSizes,
  systems: parts.map(({ name }) => name),
  measure: async (log, run) =>
    measureEach(parts, { run, log }, async (part) => measurePart(part, { ...sizes, ...run.sizes })),
};

async function measurePart(part: Part, size: typeof sizes): Promise<Omit<Result, 'system'>> {
  const environment = {
    KEEP_ALIVE_MS: '600000',
    TOGETHER: part.kind === 'together' ? 'yes' : 'no',
  };
  const system = part.kind === 'idle' ? midflight : midflightCarrying;
  const service = await startServiceApp(system, size, environment);
  try {
    return await (part.kind === 'idle' ? measureIdle : measureConversations)(service, size, size[part.size]);
  } finally {
    await service.stop();
  }
}

async function measureConversations(
  service: ServiceApp,
  size: typeof sizes,
  count: number,
): Promise<Omit<Result, 'system'>> {
  const { messagesPerSecond, steadyMs } = size;
  const load = await startConversations({ origin: service.app.origin, count, messagesPerSecond });
  // All are opened first.
  await sleep(steadyMs + count);
  const atMs = Date.now();
  const arrivals = await handOff(service, size);
  const windows = { steady: [[atMs - steadyMs, atMs]], handoff: [[atMs, Date.now()]] } as const;
  const outcome = await load.stop(windows);
  return { row: toConversationRow(outcome, arrivals), detail: outcome };
}

async function measureIdle(
  service: ServiceApp,
  size: typeof sizes,
  count: number,
): Promise<Omit<Result, 'system'>> {
  const load = await startIdleConnections({ port: service.app.port, count });
  await sleep(size.steadyMs + count);
  const arrivals = await handOff(service, size);
  const outcome = await load.stop({});
  return { row: toIdleRow(outcome, arrivals), detail: outcome };
}

/** Gives the times of arrival in the new process, when there have been none for two seconds. */
async function handOff(service: ServiceApp, { carryMs }: typeof sizes): Promise<readonly number[]> {
  const deadlineMs = Date.now() + carryMs;
  await service.deployAndWait('v1');
  let arrivals: readonly number[] = [];
  for (let quiet = 0; quiet < 2 && Date.now() < deadlineMs; await sleep(1_000)) {
    const before = arrivals.length;
    arrivals = await fetchArrivals(service);
    // The question itself is one.
    quiet = arrivals.length <= before + 1 ? quiet + 1 : 0;
  }
  return arrivals;
}

async function fetchArrivals(service: ServiceApp): Promise<readonly number[]> {
  const request = http.get(`${service.app.origin}/arrivals`, { agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return (await json(response)) as number[];
}

function toConversationRow(outcome: ConversationOutcome, arrivals: readonly number[]): Row {
  const toWait = (name: string): string => (outcome.answer[name]?.max ?? Number.NaN).toFixed(1);
  return {
    connections: outcome.opened,
    moved: outcome.moved,
    closed: outcome.closed,
    'moved a second': outcome.moved === 0 ? '' : toRate(arrivals),
    messages: outcome.messages,
    lost: outcome.lost,
    'out of order': outcome.outOfOrder,
    'longest wait before, ms': toWait('steady'),
    'longest wait at the handoff, ms': toWait('handoff'),
  };
}

function toIdleRow({ opened, failed, moved }: IdleOutcome, arrivals: readonly number[]): Row {
  return {
    connections: opened,
    moved,
    closed: failed,
    'moved a second': moved === 0 ? '' : toRate(arrivals),
    messages: '',
    lost: '',
    'out of order': '',
    'longest wait before, ms': '',
    'longest wait at the handoff, ms': '',
  };
}

function toRate(arrivals: readonly number[]): string {
  const sorted = arrivals.toSorted((left, right) => left - right);
  const first = Math.floor(sorted.length * ENDS_CUT);
  const last = Math.ceil(sorted.length * (1 - ENDS_CUT)) - 1;
  const tookMs = (sorted[last] ?? Number.NaN) - (sorted[first] ?? Number.NaN);
  return tookMs > 0 ? String(Math.round(((last - first) * 1_000) / tookMs)) : '';
}
