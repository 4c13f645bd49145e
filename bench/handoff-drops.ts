/** Claim: replacing the processes under load fails no request and closes no WebSocket, beside everything else that does it. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientKind } from '../scripts/load/load.ts';
import { CLOSED_WHILE_IDLE } from '../scripts/load/clients.ts';
import type { Latency } from '../scripts/load/latencies.ts';
import type { Failure } from '../scripts/load/tally.ts';
import { startLoadProcess, type LoadOutcome } from './generators/load.ts';
import { measureEach, type Claim, type Result, type Row, type Sizes } from './report.ts';
import { peerVersions } from './systems/peer-versions.ts';
import { deployRepeatedly, startServiceApp, type ServiceApp } from './systems/service-app.ts';
import { serviceSystems } from './systems/service-systems.ts';
import type { System } from './systems/system.ts';

const sizes = {
  strict: 200,
  newConnection: 10,
  upload: 10,
  events: 20,
  webSocket: 1_000,
  handoffs: 20,
  workers: 2,
  warmUpMs: 12_000,
  steadyMs: 20_000,
  drainMs: 5_000,
  periodMs: 8_000,
};
const smokeSizes = {
  strict: 20,
  newConnection: 2,
  upload: 2,
  events: 2,
  webSocket: 20,
  handoffs: 1,
  warmUpMs: 1_000,
  steadyMs: 1_000,
  drainMs: 3_000,
  periodMs: 4_500,
};

const STRICT_THINK_MS = 1_000;
const WEB_SOCKET_THINK_MS = 10_000;
const NEW_CONNECTION_THINK_MS = 100;
const LONG_THINK_MS = 500;
/** Eight pieces. */
const UPLOAD_PAUSE_MS = 300;
/** Ten events. */
const EVENT_PAUSE_MS = 300;
const REASONS_MAX = 5;

export const claim: Claim = {
  title: 'Handoff drops: what clients lose when processes are replaced',
  method: (
    size,
  ) => `A node:http service with WebSockets; ${size['workers']} workers, or threads; ${size['handoffs']} handoffs, one each ${toSeconds(size['periodMs'])} s;
old processes may take ${toSeconds(size['drainMs'])} s to end what is open, where the system knows such a limit. The load is in a process of its own. Nothing is ever tried again.

- ${size['strict']} **strict** clients: a kept connection each, think time random up to ${toSeconds(STRICT_THINK_MS)} s. A connection is taken for usable
  until \`Connection: close\` was said, so a request on one that the server closed while it was idle fails: across a network it would have been on its way.
  Those are counted in *of these idle*; the others were refused, or under way already.
- ${size['newConnection']} clients with a **new connection** for each request, think time up to ${NEW_CONNECTION_THINK_MS} ms.
- ${size['upload']} **uploads** at a time, chunked, of 128 KiB in ${toSeconds(7 * UPLOAD_PAUSE_MS)} s; ${size['events']} streams of **server-sent events** of
  ${toSeconds(10 * EVENT_PAUSE_MS)} s, which must come whole: both fit into the limit of the drain. New ones begin after up to ${toSeconds(LONG_THINK_MS)} s.
- ${size['webSocket']} **WebSockets** that send a message at random each ${toSeconds(WEB_SOCKET_THINK_MS)} s at most and get it back; each that closes, or leaves
  a message without an answer for 10 s, is lost, and is opened again. No limit of a drain is long enough for them: they are carried, or cut.

Failed is what was refused, reset, cut short, or answered with an error. Latency is of strict and new-connection requests, steady in the
${toSeconds(size['steadyMs'])} s before the first handoff, and at handoffs from the start of the first to the end of the last period: starting new processes, on the processors that
all share, and clients that come back after they were cut are in it.
Midflight asks new workers for \`/\` before they take over, as its \`health\` says, and watches them for a second after.
nginx and HAProxy stand before a Node process that stays: what is replaced is the proxy. nginx 1.27.4 and later know \`keepalive_min_timeout\`, this one does not.
The three libraries end processes that share a socket; the benchmark starts the new ones, waits until they listen, then sends SIGTERM to the old. pm2 and
node:cluster replace one worker after the other; the pm2 app closes its server on SIGINT, as the documentation of pm2 has it.`,
  versions: peerVersions,
  sizes,
  smokeSizes,
  systems: serviceSystems.map(({ name }) => name),
  async measure(log, run) {
    const size = { ...sizes, ...run.sizes };
    return measureEach(serviceSystems, { run, log }, async (system) =>
      measureSystem(system, { log, sizes: size }),
    );
  },
};

interface Measuring {
  readonly log: (line: string) => void;
  readonly sizes: typeof sizes;
}

async function measureSystem(system: System, measuring: Measuring): Promise<Omit<Result, 'system'>> {
  const service = await startServiceApp(system, measuring.sizes);
  try {
    return await measureHandoffs(service, measuring);
  } finally {
    await service.stop();
  }
}

async function measureHandoffs(
  service: ServiceApp,
  { log, sizes: size }: Measuring,
): Promise<Omit<Result, 'system'>> {
  const load = await startLoadProcess({
    origin: service.app.origin,
    uploadPauseMs: UPLOAD_PAUSE_MS,
    eventsPath: `/events?ms=${EVENT_PAUSE_MS}`,
    clients: {
      strict: { count: size.strict, think: [0, STRICT_THINK_MS] },
      newConnection: { count: size.newConnection, think: [0, NEW_CONNECTION_THINK_MS] },
      upload: { count: size.upload, think: [0, LONG_THINK_MS] },
      events: { count: size.events, think: [0, LONG_THINK_MS] },
      webSocket: { count: size.webSocket, think: [0, Math.min(WEB_SOCKET_THINK_MS, size.warmUpMs)] },
    },
  });
  await sleep(size.warmUpMs);
  const steadyAt = Date.now();
  await sleep(size.steadyMs);
  const steady = [[steadyAt, Date.now()]] as const;
  const deploys = await deployRepeatedly(service, { count: size.handoffs, periodMs: size.periodMs, log });
  const handoff = deploys.map(({ atMs }) => [atMs, atMs + size.periodMs] as const);
  const outcome = await load.stop({ steady, handoff });
  const untilNewMs = deploys.map(({ tookMs }) => Math.round(tookMs));
  return { row: toRow(outcome), detail: { ...toDetail(outcome), untilNewMs } };
}

function toRow(outcome: LoadOutcome): Row {
  const failed = (...kinds: ClientKind[]): number =>
    outcome.failures.filter(({ kind }) => kinds.includes(kind as ClientKind)).length;
  const { steady, handoff } = outcome.latencyWithin as Record<'steady' | 'handoff', Latency>;
  const { opened, lost } = outcome.webSockets;
  const unopened = failed('webSocket');
  return {
    requests: outcome.requests - unopened,
    failed: outcome.failed - unopened,
    'of these idle': outcome.failures.filter(({ reason }) => reason === CLOSED_WHILE_IDLE).length,
    strict: failed('strict'),
    'new connections': failed('newConnection'),
    uploads: failed('upload'),
    'event streams': failed('events'),
    'WebSockets closed, of opened': `${lost} of ${opened}${unopened === 0 ? '' : `, ${unopened} refused`}`,
    'p50 / p99 / p99.9 steady, ms': toQuantiles(steady),
    'at handoffs, ms': toQuantiles(handoff),
    'p99.9, ratio': (handoff.p999 / steady.p999).toFixed(1),
  };
}

function toDetail(outcome: LoadOutcome): object {
  const { latencyWithin, webSockets, failures } = outcome;
  return { latencyWithin, webSockets, versions: outcome.versions.size, failures: countReasons(failures) };
}

/** The commonest reasons for each kind of client. */
function countReasons(failures: readonly Failure[]): object {
  return Object.fromEntries(
    [...Map.groupBy(failures, ({ kind }) => kind)].map(([kind, ofKind]) => {
      const counts = [...Map.groupBy(ofKind, ({ reason }) => reason)]
        .map(([reason, list]) => [reason, list.length] as const)
        .toSorted(([, left], [, right]) => right - left);
      return [kind, Object.fromEntries(counts.slice(0, REASONS_MAX))];
    }),
  );
}

const toQuantiles = ({ p50, p99, p999 }: Latency): string =>
  [p50, p99, p999].map((ms) => ms.toFixed(1)).join(' / ');

const toSeconds = (ms: Sizes[string] = 0): string => String(ms / 1_000);
