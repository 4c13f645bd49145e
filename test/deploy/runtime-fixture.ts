/** Small apps from memory, run by createRuntime in this process. */

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { createRuntime, type PreparedSwap, type Runtime } from '../../src/deploy/create-runtime.ts';

export type Files = Readonly<Record<string, string>>;

export interface RunningApp {
  readonly runtime: Runtime;
  /** What the app's `log(...)` was called with; emptied by reading. */
  readonly log: () => unknown[];
  /** Writes files (null: deletes one) and prepares the swap. */
  readonly prepare: (
    files: Readonly<Record<string, string | null>>,
    options?: { readonly signal: AbortSignal },
  ) => Promise<PreparedSwap>;
  /** The same, committed. */
  readonly swap: (files: Readonly<Record<string, string | null>>) => Promise<PreparedSwap>;
  /** Exports of the entry. */
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what its app exports.
  readonly main: Record<string, any>;
}

/** Runs an app whose entry is `main.js`; its modules may call the global `log`. */
export async function runApp(t: TestContext, files: Files): Promise<RunningApp> {
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'midflight-runtime-')));
  const sources = new Map(Object.entries(files));
  const logged: unknown[] = [];
  Object.assign(globalThis, { log: (...values: unknown[]) => void logged.push(...values) });
  const readSource = (at: string): string | null => sources.get(at) ?? null;
  const entry = Object.keys(files).find((name) => name.startsWith('main.')) ?? 'main.js';
  const runtime = createRuntime({ root, entry, readSource });
  t.after(async () => {
    await runtime.close();
    rmSync(root, { recursive: true, force: true });
  });
  const prepare: RunningApp['prepare'] = async (changes, options) => {
    for (const [at, text] of Object.entries(changes)) {
      if (text === null) sources.delete(at);
      else sources.set(at, text);
    }
    return runtime.prepare(Object.keys(changes), options);
  };
  return {
    runtime,
    log: () => logged.splice(0),
    prepare,
    async swap(changes) {
      const prepared = await prepare(changes);
      await prepared.commit();
      return prepared;
    },
    main: await runtime.load(),
  };
}
