/**
 * How one generation serves in this process: over the last minute, in slots of five seconds that are used again.
 *
 * 1. Recording an answer allocates nothing; what is kept is of a fixed size (about 25 kB for a generation).
 * 2. What a health check asks is not counted: the release before was not asked when it was measured.
 * 3. The first answers of a generation count for errors, but not for latency: code that was not compiled yet is slow in any release.
 */

import { Histogram } from '../protocol/histogram.ts';
import { SAMPLE_KEPT_MS, type ServiceSample } from '../protocol/service-sample.ts';

const SLOT_MS = 5_000;
/** The last of them is not over yet. */
const SLOT_COUNT = SAMPLE_KEPT_MS / SLOT_MS + 1;
/** By then V8 has compiled what is run often, in the examples (docs/design/probation/design.md). */
const WARM_UP_ANSWER_COUNT = 50;
const WARM_UP_MS = 500;
/** An answer that takes longer may be one that is meant to: a stream of events. */
const LONG_US = 1_000_000;

interface Slot {
  /** Which five seconds it is of; -1 before its first use. */
  number: number;
  answerCount: number;
  errorCount: number;
  uncaughtCount: number;
  readonly latencyUs: Histogram;
  readonly lagUs: Histogram;
}

/** Of this moment, in microseconds: an integer that V8 keeps without an object, and that wraps after 71 minutes. */
export function nowUs(): number {
  return (performance.now() * 1_000) | 0;
}

/** When a request's headers had come, by `nowUs`: on a response, or a stream of HTTP/2. Not there where it was a health check. */
export const kStartedUs = Symbol('midflight.startedUs');

/** What is looked at of an answer that has ended. */
export interface EndedAnswer {
  [kStartedUs]?: number;
  /** HTTP/1. */
  readonly statusCode?: number;
  readonly writableFinished?: boolean;
  readonly req?: { readonly socket: EndedSocket | null };
  /** HTTP/2. */
  readonly sentHeaders?: Readonly<Record<string, unknown>>;
  readonly rstCode?: number;
  getHeader?(name: string): unknown;
}

interface EndedSocket {
  readonly errored?: Error | null;
  readonly _readableState?: { readonly ended: boolean };
}

export class ServiceMeter {
  readonly #slots: Slot[] = [];
  #slot: Slot | null = null;
  #startedAtMs: number | null = null;
  #answerCount = 0;

  /** Its generation is current from now on. What came before does not count. */
  begin(): void {
    this.#startedAtMs ??= performance.now();
  }

  noteAnswer(answer: EndedAnswer): void {
    const startedUs = answer[kStartedUs];
    if (this.#startedAtMs === null || startedUs === undefined) return;
    const nowMs = performance.now();
    const slot = this.#at(nowMs);
    slot.answerCount++;
    if (isError(answer)) slot.errorCount++;
    if (this.#answerCount++ < WARM_UP_ANSWER_COUNT || nowMs - this.#startedAtMs < WARM_UP_MS) return;
    const latencyUs = (((nowMs * 1_000) | 0) - startedUs) >>> 0;
    if (latencyUs < LONG_US || !isStream(answer)) slot.latencyUs.record(latencyUs);
  }

  noteLag(lagMs: number): void {
    if (this.#startedAtMs === null || performance.now() - this.#startedAtMs < WARM_UP_MS) return;
    this.#at(performance.now()).lagUs.record(Math.max(0, Math.round(lagMs * 1_000)));
  }

  noteUncaught(): void {
    this.#at(performance.now()).uncaughtCount++;
  }

  /** What was seen in the last minute. */
  sample(): ServiceSample {
    const nowMs = performance.now();
    const first = Math.trunc(nowMs / SLOT_MS) - SLOT_COUNT + 1;
    const slots = this.#slots.filter(({ number }) => number >= first);
    const sum = (of: (slot: Slot) => number): number => slots.reduce((total, slot) => total + of(slot), 0);
    return {
      durationMs: Math.min(nowMs - (this.#startedAtMs ?? nowMs), nowMs - first * SLOT_MS),
      answerCount: sum(({ answerCount }) => answerCount),
      errorCount: sum(({ errorCount }) => errorCount),
      latencyUs: Histogram.of(...slots.map(({ latencyUs }) => latencyUs.report())).report(),
      lagUs: Histogram.of(...slots.map(({ lagUs }) => lagUs.report())).report(),
      uncaughtCount: sum(({ uncaughtCount }) => uncaughtCount),
      rssBytes: process.memoryUsage.rss(),
    };
  }

  #at(nowMs: number): Slot {
    const number = Math.trunc(nowMs / SLOT_MS);
    return this.#slot?.number === number ? this.#slot : this.#next(number);
  }

  #next(number: number): Slot {
    const slot = (this.#slots[number % SLOT_COUNT] ??= toSlot());
    slot.number = number;
    slot.answerCount = slot.errorCount = slot.uncaughtCount = 0;
    slot.latencyUs.clear();
    slot.lagUs.clear();
    this.#slot = slot;
    return slot;
  }
}

function toSlot(): Slot {
  return {
    number: -1,
    answerCount: 0,
    errorCount: 0,
    uncaughtCount: 0,
    latencyUs: new Histogram(),
    lagUs: new Histogram(),
  };
}

function isError({ statusCode, sentHeaders, rstCode, writableFinished, req }: EndedAnswer): boolean {
  if (sentHeaders !== undefined) return Number(sentHeaders[':status']) >= 500 || rstCode === INTERNAL_ERROR;
  if (statusCode !== undefined && statusCode >= 500) return true;
  return writableFinished === false && !isClientGone(req?.socket);
}

/** RFC 9113 7. */
const INTERNAL_ERROR = 2;

/** It has said that it goes, or its connection has broken. */
function isClientGone(socket: EndedSocket | null | undefined): boolean {
  return socket?.errored != null || socket?._readableState?.ended === true;
}

function isStream(answer: EndedAnswer): boolean {
  const type = answer.sentHeaders?.['content-type'] ?? answer.getHeader?.('content-type');
  return typeof type === 'string' && type.startsWith('text/event-stream');
}
