/** What the host and the thread of a plugin ask of each other. */

import type { MessagePort } from 'node:worker_threads';
import type { EncodedState } from '../../runtime/state-entry.ts';
import type { WantedStates } from '../../runtime/state.ts';
import type { Found } from '../contract.ts';
import type { CopiedError } from './copied-error.ts';
import type { CarriedRelease } from './carried-release.ts';

/** The first message to a thread. */
export interface Start {
  readonly port: MessagePort;
  readonly sync: SyncLine;
  readonly release: CarriedRelease;
  readonly number: number;
}

/** What code in a thread can wait for without letting anything else of it run. */
export interface SyncLine {
  readonly port: MessagePort;
  /** How many answers are there: what the thread waits on. */
  readonly answered: SharedArrayBuffer;
}

export interface Told {
  readonly version: string | null;
  readonly requires: Readonly<Record<string, string>>;
}

/** What the host asks of a thread; `RunningVersion` says what it means. */
export interface ThreadSide {
  /** With the states of the version that is called now. */
  evaluate(early: readonly EncodedState[]): Promise<Told>;
  setUp(required: readonly string[]): Promise<readonly (readonly [name: string, found: Found])[]>;
  call(name: string, ...values: readonly unknown[]): unknown;
  wanted(): WantedStates;
  hasStates(): boolean;
  /** Its intervals are silent once that was the last time. */
  encode(wanted: WantedStates, isLast: boolean): readonly EncodedState[];
  /** Takes the states over and becomes the one that is called; all or nothing. */
  commit(states: readonly EncodedState[]): void;
  pause(): void;
  goBack(): void;
  prove(): void;
  ping(): void;
  collect(): Promise<void>;
  end(): Promise<void>;
  /** A plugin that it requires has told its hosts of something. */
  event(plugin: string, event: string, values: readonly unknown[], error: CopiedError | null): void;
}

/** What a thread asks of its host. */
export interface HostSide {
  callRequired(lookup: number, values: readonly unknown[]): unknown;
  manageRequired(plugin: string, act: 'refresh' | 'close' | 'pin', version: string | null): Promise<void>;
  hear(plugin: string, event: string): void;
}

/** What a thread asks of its host and waits for. */
export interface SyncSide {
  version(plugin: string): string | null;
  lookup(plugin: string, name: string, isFunction: boolean): LookedUp;
}

export type LookedUp =
  | { readonly kind: 'function'; readonly lookup: number }
  | { readonly kind: 'value'; readonly value: unknown };
