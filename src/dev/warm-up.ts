/**
 * Compiles what is compiled already, for nothing but the engine's sake: code that has run a few hundred times is several
 * times as fast, and the first save after a start would otherwise wait for what the twentieth does not.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPackageTypes } from '../release/transform/module-kind.ts';
import { transformModule } from '../release/transform/transform.ts';
import { readTypeScriptSettings } from '../release/transform/typescript-settings.ts';

/** Of the processor's time, in pieces between which the app works. */
const BUSY_MS = 250;
const PAUSE_MS = 2;
/** More of a kind teaches nothing. */
const MODULES_MAX = 50;
/** A module that is compiled longer than that would keep the app waiting. */
const SOURCE_CHARACTERS_MAX = 10_000;

/** Ends after a while, or when it is aborted; keeps no process alive. */
export async function warmUp(root: string, files: readonly string[], signal: AbortSignal): Promise<void> {
  const settings = readTypeScriptSettings(root);
  const packageTypes = createPackageTypes(root);
  const modules = files.slice(0, MODULES_MAX).map((at) => ({
    path: at,
    source: readFileSync(path.join(root, at), 'utf8'),
    packageType: packageTypes(at),
    settings,
  }));
  const small = modules.filter(({ source }) => source.length <= SOURCE_CHARACTERS_MAX);
  for (let busyMs = 0; busyMs < BUSY_MS && small.length > 0;) {
    for (const module of small) {
      await sleep(PAUSE_MS, undefined, { ref: false, signal });
      const startedAt = performance.now();
      transformModule(module);
      busyMs += performance.now() - startedAt;
    }
  }
}
