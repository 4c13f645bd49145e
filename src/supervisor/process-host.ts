/** Whoever starts the processes that serve the app and is their parent: this process itself, or a keeper that outlives it. */

import type { HostedRecord, ProcessExit, ProcessSpec } from '../protocol/keeper-messages.ts';
import type { Manifest } from '../protocol/manifest.ts';
import type { ReleaseLocation } from '../protocol/messages.ts';

export type { ProcessExit, ProcessSpec };

/** A process that has been asked to end and has nothing in flight needs no longer. */
export const STOP_TIMEOUT_MS = 5_000;
/** Of whoever is told to cut: as a shell tells of a program that SIGINT has ended. */
export const CUT_EXIT_CODE = 130;

/** A release that can be run. */
export interface RunnableRelease {
  readonly manifest: Manifest;
  readonly location: ReleaseLocation;
}

export interface HostedProcess {
  /** The host's number of it, never used again. */
  readonly id: number;
  readonly pid: number;
  /** Resolves when the process has ended, however. */
  readonly exited: Promise<ProcessExit>;
  hasExited(): boolean;
  /** False where it has no channel, or has lost it. */
  isConnected(): boolean;
  /** The last of what it printed. */
  output(): Promise<string>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `timeoutMs`. */
  end(timeoutMs: number): Promise<ProcessExit>;
  /** What can't be delivered is dropped: the exit of the process settles what waits for an answer. */
  send(message: object): void;
}

export interface ProcessEvents {
  /** What a worker says over its channel, but for what the host answers itself: its wish to
   *  listen, and connections that it gives to another. */
  onMessage(message: unknown): void;
  /** It has closed its channel, or has ended. */
  onDisconnect?(): void;
}

/** One that is bound, or was passed in. */
export interface ListenerReport {
  readonly address: string;
  /** False for one that was passed in and that nobody has asked for yet. */
  readonly isUsed: boolean;
}

export interface ProcessHost {
  /** A program that can't be started ends with code 127. Errors: ERR_MIDFLIGHT_LISTEN_FAILED. */
  spawn(spec: ProcessSpec, events: ProcessEvents): Promise<HostedProcess>;
  /** Those that were there before this process, and have not ended. */
  inherited(): readonly HostedRecord[];
  /** One of these, by its number; null when it has ended. */
  adopt(id: number, events: ProcessEvents): HostedProcess | null;
  listeners(): Promise<readonly ListenerReport[]>;
  /** Live connections that a process gives away go to these, in turn; to nobody after an empty list. */
  route(fromPid: number, toPids: readonly number[]): void;
}

/** `exit code 1` or `signal SIGKILL`. */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}

/** Those that are used, for people. */
export function toAddressText(listeners: readonly ListenerReport[], used = true): string {
  return listeners.flatMap(({ address, isUsed }) => (isUsed === used ? [address] : [])).join(', ');
}
