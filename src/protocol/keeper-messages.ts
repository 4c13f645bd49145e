/**
 * What keeper and supervisor say to each other over the supervisor's IPC channel. A `request` carries an `id` and is
 * answered once; an `order` and an `event` are not answered. Messages of one direction arrive in the order in which they
 * were sent, also when their sender is killed: a note that was sent before an order is never missing where the order is not.
 */

import type { ErrorReport, ListenTarget } from './messages.ts';
import type { ProtocolRange } from './versions.ts';

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to start. All of it can cross a process boundary. */
export interface ProcessSpec {
  /** JSON of the supervisor's, by which it knows the process again; nobody else looks at it. */
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

/** A process that a supervisor before this one has asked for. */
export interface HostedRecord {
  /** The keeper's number of it, never used again. */
  readonly id: number;
  readonly pid: number;
  readonly label: unknown;
  readonly isConnected: boolean;
}

/** How the last `upgrade-self` ended. */
export interface UpgradeOutcome {
  readonly token: string;
  /** Null where the new supervisor serves. */
  readonly failure: string | null;
}

/** What a supervisor finds. */
export interface Inventory {
  readonly keeper: { readonly pid: number; readonly protocol: ProtocolRange };
  /** How often a supervisor has been started after the first. */
  readonly restarts: number;
  readonly processes: readonly HostedRecord[];
  /** What the supervisor before has noted last; null where none has. */
  readonly notebook: unknown;
  /** What `start` runs. A newer Midflight may stand there now. */
  readonly binFile: string;
}

export type KeeperRequest =
  | { readonly type: 'hello'; readonly protocol: ProtocolRange }
  | { readonly type: 'spawn'; readonly spec: ProcessSpec }
  | { readonly type: 'output'; readonly process: number }
  | { readonly type: 'listeners' }
  /** The supervisor has settled what it found; answered by how the upgrade ended that brought it, or null. */
  | { readonly type: 'ready' }
  /** It is about to step down for the one in this file, and exits once this is answered. */
  | { readonly type: 'replace'; readonly file: string; readonly token: string };

export type KeeperOrder =
  | { readonly type: 'send'; readonly process: number; readonly message: object }
  | { readonly type: 'kill'; readonly process: number; readonly signal: NodeJS.Signals }
  | { readonly type: 'end'; readonly process: number; readonly timeoutMs: number }
  /** Live connections that a process gives away go to these, in turn. */
  | { readonly type: 'route'; readonly fromPid: number; readonly toPids: readonly number[] }
  | { readonly type: 'note'; readonly notebook: unknown }
  /** All has ended: the keeper ends with the exit code of the supervisor. */
  | { readonly type: 'stopped' };

export type KeeperEvent =
  | { readonly type: 'message'; readonly process: number; readonly message: unknown }
  | { readonly type: 'disconnected'; readonly process: number }
  | {
      readonly type: 'exited';
      readonly process: number;
      readonly exit: ProcessExit;
      readonly output: string;
    }
  | { readonly type: 'signal'; readonly signal: NodeJS.Signals };

export type SupervisorToKeeper =
  | { readonly id: number; readonly request: KeeperRequest }
  | { readonly order: KeeperOrder };

export type KeeperToSupervisor =
  | { readonly id: number; readonly done: unknown }
  | { readonly id: number; readonly failed: ErrorReport }
  | { readonly event: KeeperEvent };
