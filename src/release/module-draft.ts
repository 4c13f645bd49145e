/** An update of the index of modules that is under way: what differs from what is known. */

import { targetsOf } from '../protocol/importers.ts';
import type { ManifestModule } from '../protocol/manifest.ts';

/** What is known of one file. */
export interface Known {
  readonly module: ManifestModule;
  /** Null where it was taken over. */
  readonly source: string | null;
  /** No request names it. */
  readonly isComputedTarget: boolean;
}

/** An update under way: nothing of it counts before it has ended. */
export interface Draft {
  readonly get: (path: string) => Known | undefined;
  /** What differs; undefined for what is gone. */
  readonly changes: Map<string, Known | undefined>;
  readonly touched: Set<string>;
  /** Something may no longer be reached. */
  mayPrune: boolean;
}

/** Nothing differs yet. */
export function createDraft(known: ReadonlyMap<string, Known>, mayPrune: boolean): Draft {
  const changes = new Map<string, Known | undefined>();
  const get = (at: string): Known | undefined => (changes.has(at) ? changes.get(at) : known.get(at));
  return { get, changes, touched: new Set(), mayPrune };
}

/** A file is this module from now on. */
export function take(draft: Draft, module: ManifestModule, source: string | null): void {
  const { path: at, isComputedTarget } = module;
  const before = draft.get(at)?.module;
  const targets = new Set(targetsOf(module));
  if (before !== undefined && targetsOf(before).some((target) => !targets.has(target))) draft.mayPrune = true;
  const isSame =
    before !== undefined && before.hash === module.hash && requestsOf(before) === requestsOf(module);
  if (!isSame) draft.touched.add(at);
  draft.changes.set(at, { module: isSame ? before : module, source, isComputedTarget });
}

/** A file is gone. */
export function forget(draft: Draft, at: string): void {
  if (draft.get(at) === undefined) return;
  draft.changes.set(at, undefined);
  draft.touched.add(at);
}

/** What a file requests, by path. */
export function targetsAt(draft: Draft, at: string): string[] {
  const module = draft.get(at)?.module;
  return module === undefined ? [] : targetsOf(module);
}

/** The files that the entry leads to, itself among them. */
export function reach(draft: Draft, entry: string): Set<string> {
  const reached = new Set([entry]);
  // A set's iteration comes to what is added meanwhile.
  for (const at of reached) for (const target of targetsAt(draft, at)) reached.add(target);
  return reached;
}

function requestsOf({ requests }: ManifestModule): string {
  return JSON.stringify(requests);
}
