/** Who changes a registry does so alone. What a publisher has left that was killed goes first. */

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { MidflightError } from '../../errors.ts';
import { explainDiskProblem } from '../../release/disk-problem.ts';
import { waitForLock } from '../../release/file-lock.ts';
import type { Registry } from './registry.ts';
import { sweepStore } from './sweep-store.ts';

/** A publisher before may wait for a compiler. */
const TURN_MS_MAX = 300_000;

/** Errors: ERR_MIDFLIGHT_PLUGIN_REGISTRY_LOCKED; those of the disk. */
export async function takeRegistryTurn<Result>(
  registry: Registry,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    mkdirSync(registry.directory, { recursive: true });
  } catch (error) {
    throw explainDiskProblem(error, registry.directory);
  }
  const lock = await waitForLock(registry.lock, { kind: 'alone', waitMs: TURN_MS_MAX });
  if (lock === null)
    throw new MidflightError('ERR_MIDFLIGHT_PLUGIN_REGISTRY_LOCKED', [
      registry.directory,
      String(TURN_MS_MAX),
    ]);
  try {
    clearStaging(registry);
    const result = await work();
    rmSync(registry.staging, { recursive: true, force: true });
    return result;
  } catch (error) {
    clearStaging(registry);
    throw explainDiskProblem(error, registry.directory);
  } finally {
    lock.dispose();
  }
}

/** With what was compiled for it. */
function clearStaging(registry: Registry): void {
  if (!existsSync(registry.staging)) return;
  rmSync(registry.staging, { recursive: true, force: true });
  sweepStore(registry);
}
