/** Whoever starts the processes that serve the app and is their parent: this process itself, or a keeper that outlives it. */

import type { Manifest } from '../protocol/manifest.ts';
import type { ListenTarget, ReleaseLocation } from '../protocol/messages.ts';

/** A process that has been asked to end and has nothing in flight needs no longer. */
export const STOP_TIMEOUT_MS = 5_000;

/** A release that can be run. */
export interface RunnableRelease {
  readonly manifest: Manifest;
  readonly location: ReleaseLocation;
}

/** What to start. All of it can cross a process boundary. */
export interface ProcessSpec {
  /** JSON of the caller's, by which it knows the process again; the host does not look at it. */
  readonly label: unknown;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Node's IPC channel: the agent speaks over it. */
  readonly hasChannel: boolean;
  /** Inherited from descriptor 3 on, already listening. */
  readonly listen: readonly ListenTarget[];
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface HostedProcess {
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
}

export interface ProcessHost {
  /** A program that can't be started ends with code 127. Errors: ERR_MIDFLIGHT_LISTEN_FAILED. */
  spawn(spec: ProcessSpec, events: ProcessEvents): Promise<HostedProcess>;
  /** Of all listeners that are bound. */
  addresses(): Promise<readonly string[]>;
  /** Live connections that a process gives away go to these, in turn; to nobody after an empty list. */
  route(fromPid: number, toPids: readonly number[]): void;
}

/** `exit code 1` or `signal SIGKILL`. */
export function describeExit({ code, signal }: ProcessExit): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}
