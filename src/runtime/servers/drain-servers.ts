/**
 * The lame duck: every connection ends by itself, told so in its next response, and none is cut before the deadline. Upgraded
 * sockets and streams of events have no next response: they are told by policy, at the latest at the deadline.
 */

import type { EventEmitter } from 'node:events';
import type { OpenWork, UpgradedPolicy } from '../../protocol/messages.ts';
import { runInScope } from '../generation-scope.ts';
import { runAsWork } from '../origin.ts';
import type { AdoptedServer } from './adopted-server.ts';
import { httpSockets, type InternalSocket } from './node-internals.ts';
import { describeKept, FAREWELL_MS, isParting, partWith } from './kept-sockets.ts';
import { countWork, toOpenWork, type WorkCounts } from './open-work.ts';

export interface DrainReport extends WorkCounts {
  readonly timedOut: boolean;
  /** What was still there at the deadline; null where nothing was. */
  readonly cut: OpenWork | null;
}

/** What one generation still has. */
export interface QuietReport {
  readonly timedOut: boolean;
  readonly inFlightCount: number;
  readonly upgradedCount: number;
}

export interface WaitLimits {
  readonly timeoutMs: number;
  /** Ends the wait early; the report then says timedOut if anything was left. */
  readonly signal?: AbortSignal | undefined;
}

export interface DrainOptions extends WaitLimits {
  /** `leave` does not wait for connections without a request, but a moment for the first one of those that are new, nor for the
   *  sockets of net servers. */
  readonly idle?: 'await' | 'leave' | undefined;
  /** Where it is given, the process is about to end: what is left at the deadline is told so. */
  readonly upgraded?: UpgradedPolicy | undefined;
}

/** What is drained, and which of its sockets another process is about to get. */
export interface Draining {
  readonly servers: Iterable<AdoptedServer>;
  willGive(socket: EventEmitter): boolean;
  /** Resolves when no socket is on its way any more. */
  stopGiving(): Promise<void>;
}

/** How often the wait looks: connections end for many reasons, and asking costs microseconds. */
const CHECK_INTERVAL_MS = 20;

/** Who has just connected sends its request by then; some browsers connect and send none. */
const FIRST_REQUEST_MS = 500;

/** Tells all connections to end, and waits until they have or the time is over. */
export async function drainServers(
  draining: Draining,
  { timeoutMs, signal, idle = 'await', upgraded }: DrainOptions,
): Promise<DrainReport> {
  const { servers } = draining;
  const fresh =
    idle === 'await' ? [] : [...servers].flatMap(({ server }) => httpSockets(server).filter(isFresh));
  const firstByMs = performance.now() + FIRST_REQUEST_MS;
  const isDone = (): boolean =>
    idle === 'await'
      ? isQuiet(countWork(servers))
      : isAtRest(servers, countWork(servers)) && (!fresh.some(isFresh) || performance.now() > firstByMs);
  for (const server of servers) server.lame();
  const telling = new AbortController();
  if (upgraded?.policy === 'close') void tellSpread(draining, upgraded.spreadMs, telling.signal);
  await waitUntil(isDone, { timeoutMs, signal });
  telling.abort();
  const timedOut = !isDone();
  const report = { timedOut, ...countWork(servers), cut: timedOut ? toOpenWork([...servers]) : null };
  if (upgraded !== undefined) {
    await draining.stopGiving();
    await partWithAll(servers);
  }
  return report;
}

/** Waits until something holds, the time is over or the signal says to stop. */
export async function waitUntil(
  holds: () => boolean,
  { timeoutMs, signal, checkIntervalMs = CHECK_INTERVAL_MS }: WaitLimits & { checkIntervalMs?: number },
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!holds() && !signal?.aborted) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.min(checkIntervalMs, leftMs)));
  }
}

/** Tells WebSockets and streams of events to end, evenly spread, so that their clients do not all come back at once; those that
 *  come later are told at once. Ends with the signal. */
async function tellSpread(
  { servers, willGive }: Pick<Draining, 'servers' | 'willGive'>,
  spreadMs: number,
  signal: AbortSignal,
): Promise<void> {
  const farewells = farewellsOf(servers, willGive);
  const startedAt = performance.now();
  for (let done = 0; done < farewells.length && !signal.aborted;) {
    const share = spreadMs === 0 ? 1 : Math.min(1, (performance.now() - startedAt) / spreadMs);
    const due = Math.max(1, Math.floor(farewells.length * share));
    for (; done < due; done++) farewells[done]?.();
    if (done < farewells.length) await nextCheck();
  }
  while (!signal.aborted) {
    for (const tell of farewellsOf(servers, willGive)) tell();
    await nextCheck();
  }
}

/** Tells WebSockets and streams of events to end, evenly spread, and gives the last a moment to answer. */
export async function partWithin(servers: readonly AdoptedServer[], spreadMs: number): Promise<void> {
  const signal = AbortSignal.timeout(spreadMs);
  await tellSpread({ servers, willGive: () => false }, spreadMs, signal);
  for (const tell of farewellsOf(servers)) tell();
  await waitUntil(() => servers.every((server) => webSocketsOf(server).next().done === true), {
    timeoutMs: FAREWELL_MS,
  });
}

/** Tells everything that is kept, and gives it a moment to answer. */
async function partWithAll(servers: Iterable<AdoptedServer>): Promise<void> {
  const all = [...servers];
  for (const tell of farewellsOf(all)) tell();
  for (const server of all) for (const socket of server.kept) inServer(server, () => partWith(socket));
  await waitUntil(() => all.every(({ kept }) => kept.size === 0), { timeoutMs: FAREWELL_MS });
}

function* webSocketsOf({ kept }: AdoptedServer) {
  for (const socket of kept) if (describeKept(socket).kind === 'websocket') yield socket;
}

/** One function for each WebSocket and each stream of events that has not been told. */
function farewellsOf(
  servers: Iterable<AdoptedServer>,
  willGive: (socket: EventEmitter) => boolean = () => false,
): (() => void)[] {
  return [...servers].flatMap((server) => [
    ...[...webSocketsOf(server)]
      .filter((socket) => !isParting(socket) && !willGive(socket))
      .map((socket) => () => inServer(server, () => partWith(socket))),
    ...server.eventStreams().map((end) => () => inServer(server, end)),
  ]);
}

function inServer({ scope }: AdoptedServer, act: () => void): void {
  runInScope(scope, () => runAsWork(act));
}

async function nextCheck(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, CHECK_INTERVAL_MS).unref());
}

/** It may have been accepted a moment ago, with its request on its way. */
function isFresh({ bytesRead, destroyed }: InternalSocket): boolean {
  return bytesRead === 0 && !destroyed;
}

function isQuiet({ inFlightCount, openCount, upgradedCount }: WorkCounts): boolean {
  return inFlightCount + openCount + upgradedCount === 0;
}

/** Nothing but connections that wait for a request, and what may go on for ever. */
function isAtRest(servers: Iterable<AdoptedServer>, { inFlightCount }: WorkCounts): boolean {
  return inFlightCount === 0 && [...servers].every((server) => webSocketsOf(server).next().done === true);
}
