/** Connections at a steady rate, whatever became of those before: each asks once, and notes when the first byte came. */

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Latencies, type Latency, type TimeWindow } from '../../scripts/load/latencies.ts';
import { serveGenerator, startGenerator, type Generator } from './generator.ts';

export interface ConnectOptions {
  readonly port: number;
  readonly perSecond: number;
}

export interface ConnectOutcome {
  readonly attempts: number;
  /** By the code of the error; `cut` where the answer was not whole. */
  readonly failures: Readonly<Record<string, number>>;
  /** From connect() to the first byte of the answer. */
  readonly firstByte: Readonly<Record<string, Latency>>;
  /** The longest time between two first bytes, of any connections. */
  readonly longestGapMs: Readonly<Record<string, number>>;
  /** Times at which the generator itself was too late by more than 10 ms: the machine had too much to do. */
  readonly lateTicks: number;
}

const REQUEST = 'GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';
const TICK_LATE_MS = 10;
/** More than the kernel waits before it sends a SYN again. */
const TIMEOUT_MS = 10_000;
const file = fileURLToPath(import.meta.url);

export async function startConnectProcess(options: ConnectOptions): Promise<Generator<ConnectOutcome>> {
  return startGenerator(file, options);
}

function start({ port, perSecond }: ConnectOptions): Generator<ConnectOutcome> {
  const latencies = new Latencies();
  /** By `performance.now()`. */
  const firstBytes: number[] = [];
  const failures: Record<string, number> = {};
  let open = 0;
  let lateTicks = 0;

  const attempt = (): void => {
    const startedAt = performance.now();
    open++;
    let text = '';
    const socket = connect({ port, host: '127.0.0.1' });
    socket.setTimeout(TIMEOUT_MS, () =>
      socket.destroy(Object.assign(new Error('timeout'), { code: 'timeout' })),
    );
    socket.write(REQUEST);
    socket.on('data', (chunk: Buffer) => {
      if (text === '') {
        latencies.add(startedAt);
        firstBytes.push(performance.now());
      }
      text += chunk.toString('latin1');
      // A reset leaves no TIME_WAIT behind, of which there would be too many.
      if (isWhole(text)) socket.resetAndDestroy();
    });
    socket.on('error', ({ code = 'error' }: NodeJS.ErrnoException) => note(isWhole(text) ? '' : code));
    socket.on('end', () => note(isWhole(text) ? '' : 'cut'));
    socket.on('close', () => open--);
  };
  const note = (failure: string): void => {
    if (failure !== '') failures[failure] = (failures[failure] ?? 0) + 1;
  };

  const beganAt = performance.now();
  let made = 0;
  let lastTickAt = beganAt;
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - lastTickAt > TICK_LATE_MS) lateTicks++;
    lastTickAt = now;
    for (const due = ((now - beganAt) * perSecond) / 1_000; made < due; made++) attempt();
  }, 1);

  return {
    async stop(windows) {
      clearInterval(timer);
      while (open > 0) await sleep(10);
      const gaps = Object.entries(windows).map(([name, spans]) => [
        name,
        Math.max(0, ...spans.map((span) => findLongestGap(firstBytes, span))),
      ]);
      return {
        attempts: made,
        failures,
        firstByte: latencies.byWindow(windows),
        longestGapMs: Object.fromEntries(gaps),
        lateTicks,
      };
    },
  };
}

/** The service's answers are JSON, in one piece or two. */
const isWhole = (text: string): boolean =>
  text.startsWith('HTTP/1.1 200') && /\}(\r\n0\r\n\r\n)?$/.test(text);

/** `firstBytes` are in order. */
function findLongestGap(firstBytes: readonly number[], [fromMs, toMs]: TimeWindow): number {
  const times = firstBytes
    .map((at) => performance.timeOrigin + at)
    .filter((atMs) => atMs >= fromMs && atMs <= toMs);
  return times.reduce((longest, atMs, index) => Math.max(longest, atMs - (times[index - 1] ?? atMs)), 0);
}

if (process.argv[1] === file) await serveGenerator(start);
