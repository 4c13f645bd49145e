/** The plans that `midflight plan` has shown, kept so that a deploy can say what moved since. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { describeMoved, type ShownPlan } from '../plan/plan-id.ts';
import type { Home } from '../release/home.ts';

/** Keeps it, until the cache is cleared. */
export async function keepShownPlan(home: Home, plan: ShownPlan): Promise<void> {
  await mkdir(home.cache, { recursive: true });
  await writeFile(toFile(home, plan.id), JSON.stringify(plan));
}

/** Errors: ERR_MIDFLIGHT_PLAN_MOVED where what is to be done is not what was shown as `id`. */
export async function requireSamePlan(home: Home, id: string, now: ShownPlan): Promise<void> {
  if (now.id === id) return;
  const shown = await readShownPlan(home, id);
  const what = shown === null ? 'no plan of that id was shown here' : describeMoved(shown, now);
  throw new MidflightError('ERR_MIDFLIGHT_PLAN_MOVED', [id, what]);
}

async function readShownPlan(home: Home, id: string): Promise<ShownPlan | null> {
  try {
    return JSON.parse(await readFile(toFile(home, id), 'utf8')) as ShownPlan;
  } catch {
    // Not shown here, or the cache was cleared.
    return null;
  }
}

function toFile(home: Home, id: string): string {
  return path.join(home.cache, `plan-${path.basename(id)}.json`);
}
