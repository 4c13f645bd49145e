/**
 * What supervisor and worker say to each other over a worker's IPC channel.
 * `cmd` starts with NODE_ so that Node keeps the messages away from the app's own `process.on('message')`.
 * A request carries an `id`; its answer carries the same.
 */

import { catalog, MidflightError, type ErrorCode } from '../errors.ts';
import type { ServiceSample } from './service-sample.ts';
import type { ProtocolRange } from './versions.ts';

export const MESSAGE_COMMAND = 'NODE_MIDFLIGHT';

export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  /** The module that could not be evaluated. */
  readonly module?: string;
  /** What the message of an error of ours was made of. */
  readonly details?: readonly string[];
}

/** What a worker needs to load a release. */
export interface ReleaseLocation {
  readonly id: string;
  /** Absolute path of the app's tree in the release. */
  readonly root: string;
  readonly manifestFile: string;
  /** Absolute path of the store of compiled modules. */
  readonly store: string;
  /** Hex sha256 of the manifest's bytes: a worker loads no other. An older supervisor does not say it. */
  readonly digest?: string;
}

/** What a generation is asked for its health: besides its own `health()`, one of these at most. */
export interface HealthCheck {
  readonly path: string | null;
  /** An address that it listens on: a connection to it has to stay. */
  readonly tcp?: string | null;
  readonly timeoutMs: number;
  /** So many failures in a row are one too many; 1 where it is not said. Asked again after `intervalMs`. */
  readonly failures?: number;
  readonly intervalMs?: number;
}

export interface PrepareOptions {
  readonly release: ReleaseLocation;
  readonly generation: number;
  readonly ready: 'listen' | 'load';
  readonly readyTimeoutMs: number;
  /** How long evaluation may take; for ever where it is not said, as the code of a script may wait. */
  readonly evaluateTimeoutMs?: number;
  readonly health: HealthCheck | null;
}

export type ListenTarget =
  | {
      readonly kind: 'tcp';
      readonly host: string | null;
      readonly port: number;
      readonly ordinal: number;
      readonly ipv6Only?: true;
    }
  | { readonly kind: 'unix'; readonly path: string };

/** Supervisor → worker. Every one is answered by `done` or `failed`. */
export type WorkerRequest =
  | { readonly type: 'prepare'; readonly options: PrepareOptions }
  | { readonly type: 'commit'; readonly generation: number; readonly probationMs: number }
  | { readonly type: 'abort'; readonly generation: number }
  | { readonly type: 'rollback'; readonly generation: number }
  | {
      readonly type: 'prove';
      readonly generation: number;
      readonly drainTimeoutMs: number;
      /** Memory is collected where more generations than this could be there still. */
      readonly maxRetained: number;
      readonly upgraded: UpgradedPolicy;
    }
  | { readonly type: 'health'; readonly health: HealthCheck }
  /** Stop accepting, go on serving what is open, and ask every client to leave with its next answer. */
  | { readonly type: 'pause' }
  /** After `pause`, before SIGTERM: answered when every connection has ended, or when the deadline has passed and upgraded sockets
   *  have been told. `leave`: connections without a request are not waited for. */
  | {
      readonly type: 'drain';
      readonly timeoutMs: number;
      readonly idle: 'await' | 'leave';
      readonly upgraded: UpgradedPolicy;
    }
  /** Give live connections to whom the host routes them to: those that are idle now, the others when they become so.
   *  Answered with a CarryReport when nothing is left that could be given, or `countMax` have been, at the deadline, or at `resume`. */
  | {
      readonly type: 'carry';
      readonly timeoutMs: number;
      readonly keepsUpgraded?: boolean;
      /** All, where it is not said. */
      readonly countMax?: number;
    }
  | { readonly type: 'resume' }
  | { readonly type: 'status' }
  /** How the current generation has served; answered by a SampleAnswer. */
  | { readonly type: 'sample' }
  /** Opens a loopback port that leads to the generation, whether it is current or being prepared; until `closeDoor`.
   *  Answered by a DoorAnswer. */
  | { readonly type: 'openDoor'; readonly generation: number }
  | { readonly type: 'closeDoor' }
  /** Answered by the names of its states; by null where it knows no states. */
  | { readonly type: 'states' }
  /** Opens a Unix socket for the states of another worker; answered when it listens. */
  | {
      readonly type: 'receiveState';
      readonly path: string;
      readonly mode: StatePassing;
      readonly timeoutMs: number;
    }
  /** Sends its states there; answered when they have been taken over. But for `early` it has stopped accepting and reading
   *  then, until it is told to `pause` or `resume`. */
  | {
      readonly type: 'sendState';
      readonly path: string;
      readonly mode: StatePassing;
      readonly quiesceTimeoutMs: number;
      readonly timeoutMs: number;
      /** For how long it waits then. */
      readonly commitTimeoutMs: number;
    }
  /** After `sendState` and `pause`: reads again from the connections that are still here. */
  | { readonly type: 'unhold' };

/** Why states are passed. `early`: a copy, for new code to be evaluated with, while the old process serves. `handoff`: all of
 *  them or none, for good. `back`: to the process that had them before; what can't be passed stays there as it was. */
export type StatePassing = 'early' | 'handoff' | 'back';

export interface StateFailure {
  readonly name: string;
  readonly error: ErrorReport;
}

/** The answer to `sendState`. */
export interface StateReport {
  readonly states: readonly {
    readonly name: string;
    readonly byteCount: number;
    readonly durationMs: number;
  }[];
  /** What was not passed; only where that is no reason to refuse all. */
  readonly failures: readonly StateFailure[];
  /** From the order to stop until nothing was in flight, or it was time. */
  readonly quiesceMs: number;
  readonly stateMs: number;
  /** Requests that still ran; what they write is lost. */
  readonly inFlightCount: number;
}

/** What becomes of WebSockets and streams of events when their process or generation is to end. */
export interface UpgradedPolicy {
  /** `carry`: what can't be carried is kept. `keep`: until the deadline. `close`: told to come back, spread over `spreadMs`. */
  readonly policy: 'carry' | 'keep' | 'close';
  readonly spreadMs: number;
}

/** What a process has under way. At most 20 of each are named, the oldest. */
export interface OpenWork {
  readonly requestCount: number;
  readonly requests: readonly { readonly method: string; readonly url: string; readonly ageS: number }[];
  /** Upgraded sockets, and those of plain net servers. */
  readonly socketCount: number;
  readonly sockets: readonly {
    readonly kind: 'websocket' | 'upgraded' | 'socket';
    readonly peer: string;
    readonly ageS: number;
  }[];
  /** Connections without a request that has arrived. */
  readonly idleCount: number;
}

export interface RetainedGeneration {
  readonly generation: number;
  readonly release: string;
  readonly pinnedBy: readonly string[];
}

export interface WorkerStatus {
  readonly generation: number;
  readonly release: string;
  readonly inFlight: number;
  readonly open: number;
  readonly upgraded: number;
  /** What a worker that is leaving waits for; null in one that serves. */
  readonly waitsFor: OpenWork | null;
  readonly retained: readonly RetainedGeneration[];
  /** The trees of releases that its modules may still read from. */
  readonly roots: readonly string[];
  readonly rssBytes: number;
}

export interface PrepareAnswer {
  readonly prepareMs: number;
  readonly reevaluated: readonly string[];
  readonly listening: readonly string[];
}

export interface ProveAnswer {
  /** Generations that have retired and that code or connections still hold. */
  readonly retainedCount: number;
}

export interface SampleAnswer {
  readonly generation: number;
  readonly sample: ServiceSample;
}

export interface DoorAnswer {
  /** Null where the generation has no server for it. */
  readonly port: number | null;
}

export interface DrainAnswer {
  readonly timedOut: boolean;
  readonly inFlightCount: number;
  readonly openCount: number;
  readonly upgradedCount: number;
  /** What was still there at the deadline; null where nothing was. */
  readonly cut: OpenWork | null;
}

export interface CarryReport {
  readonly carriedCount: number;
  readonly refusedCount: number;
  /** The longest that one of those connections was not read. */
  readonly longestSilenceMs: number;
}

/** A live connection on its way to another worker, without its handle, which goes along with the message. */
export interface CarriedConnection {
  /** Who knows how to stop and revive it: `http`, `websocket`. */
  readonly kind: string;
  /** The listener by which it came, as `toAddressKey` names it. */
  readonly address: string;
  /** What was read from it and not used, in base64. */
  readonly unread: string;
  /** What its kind needs to go on: plain JSON. */
  readonly detail: unknown;
}

/** Old worker → host → new worker. */
export interface CarryMessage {
  readonly cmd: typeof MESSAGE_COMMAND;
  readonly carryId: number;
  readonly carry: CarriedConnection;
  /** By `monotonicMs`. The receiver refuses it from then on, and the sender takes it back a little later. */
  readonly expiresAtMs: number;
}

/** New worker → host → old worker. Sent before the receiver reads; after it the sender owns nothing any more. */
export interface CarryAnswer {
  readonly cmd: typeof MESSAGE_COMMAND;
  readonly carryId: number;
  readonly carried: 'accepted' | 'refused';
  readonly reason?: string;
}

/** Old worker → host → all to whom its connections went: something that belongs to one of them and comes late. Not answered. */
export interface CarryNote {
  readonly cmd: typeof MESSAGE_COMMAND;
  readonly carryId: 0;
  readonly note: CarriedNote;
}

export interface CarriedNote {
  readonly kind: string;
  /** By which the kind knows the connection. */
  readonly id: string;
  /** In base64. */
  readonly bytes: string;
}

/** A receiver takes nothing that is older than this. */
export const CARRY_TIMEOUT_MS = 3_000;
/** Why: who says so works, so it is worth another offer. */
export const CARRY_LATE = 'it came too late';
/** An answer that was given in time has arrived by then: a host that relays it is never busy for as long. */
export const CARRY_GRACE_MS = 5_000;

/** One clock for all processes of the machine (CLOCK_MONOTONIC). */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** Worker → supervisor, unasked. */
export type WorkerEvent =
  | { readonly type: 'hello'; readonly protocol: ProtocolRange; readonly pid: number }
  /** The worker itself has gone back to the generation before, because the new one failed in probation. */
  | { readonly type: 'rolledBack'; readonly generation: number; readonly error: ErrorReport }
  /** An uncaught error of this generation's code is about to end the process. */
  | { readonly type: 'crashed'; readonly generation: number; readonly error: ErrorReport }
  /** These states were written to after they had been passed to another process, which has not got that. */
  | { readonly type: 'stateLost'; readonly generation: number; readonly names: readonly string[] };

export type SupervisorMessage<Request = WorkerRequest> =
  | { readonly cmd: typeof MESSAGE_COMMAND; readonly id: number; readonly request: Request }
  | { readonly cmd: typeof MESSAGE_COMMAND; readonly listenId: number; readonly errno: ErrnoReport | null }
  | CarryMessage
  | CarryAnswer
  | CarryNote;

export interface ErrnoReport {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

export type WorkerMessage<Event = WorkerEvent> =
  | { readonly cmd: typeof MESSAGE_COMMAND; readonly id: number; readonly done: unknown }
  | { readonly cmd: typeof MESSAGE_COMMAND; readonly id: number; readonly failed: ErrorReport }
  | { readonly cmd: typeof MESSAGE_COMMAND; readonly listenId: number; readonly listen: ListenTarget }
  | { readonly cmd: typeof MESSAGE_COMMAND; readonly event: Event }
  | CarryMessage
  | CarryAnswer
  | CarryNote;

/** An error in the form that crosses processes. */
export function toErrorReport(error: unknown): ErrorReport {
  if (!(error instanceof Error)) {
    return { code: 'ERR_UNKNOWN', message: String(error), stack: String(error) };
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  const details = error instanceof MidflightError ? error.details : [];
  return { code, message: error.message, stack: error.stack ?? error.message, details };
}

/** What a worker's error means to the user: an error of ours as it was, one of listen(2), or one of the app's code. */
export function toWorkerError({ code, message, stack, details, module }: ErrorReport): MidflightError {
  if (code in catalog) return new MidflightError(code as ErrorCode, details ?? []);
  if (/^(?:EADDRINUSE|EACCES|EADDRNOTAVAIL)$/.test(code)) {
    return new MidflightError('ERR_MIDFLIGHT_LISTEN_FAILED', [message.split(' ').at(-1) ?? message, code]);
  }
  const what = [withoutOwnFrames(stack), ...(module === undefined ? [] : [module])];
  return new MidflightError('ERR_MIDFLIGHT_EVALUATION_FAILED', what);
}

const ownFiles = new URL('../', import.meta.url).href;

/** The lines of a stack that tell of the app: ours, and those between them, end it. */
export function withoutOwnFrames(stack: string): string {
  const lines = stack.split('\n');
  const own = lines.findIndex((line) => line.includes(ownFiles));
  const end = own === -1 ? lines.length : own;
  return lines
    .slice(0, end)
    .filter((line) => !line.includes('at Generator.next (<anonymous>)'))
    .join('\n');
}
