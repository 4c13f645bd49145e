/** The plans that `midflight plan` has shown, kept so that a deploy can say what moved since. */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { describeMoved, type ShownPlan } from '../plan/plan-id.ts';
import { dropOldest } from '../release/drop-oldest.ts';
import type { Home } from '../release/home.ts';

/** Whoever applies a plan has read it; each has the digests of all files. */
export const SHOWN_PLANS_MAX = 50;

/** Keeps it, until newer ones have taken its place. */
export async function keepShownPlan(home: Home, plan: ShownPlan): Promise<void> {
  await mkdir(home.cache, { recursive: true });
  await writeFile(toFile(home, plan.id), JSON.stringify(plan));
  await dropOldest(home.cache, PREFIX, SHOWN_PLANS_MAX);
}

/** By its id, and where it was shown here, by all that was. Errors: ERR_MIDFLIGHT_PLAN_MOVED where what is to be done is not that. */
export async function requireSamePlan(home: Home, id: string, now: ShownPlan): Promise<void> {
  const shown = await readShownPlan(home, id);
  if (now.id === id && (shown === null || describeMoved(shown, now) === '')) return;
  const what = shown === null ? 'no plan of that id was shown here' : describeMoved(shown, now);
  throw new MidflightError('ERR_MIDFLIGHT_PLAN_MOVED', [id, what]);
}

async function readShownPlan(home: Home, id: string): Promise<ShownPlan | null> {
  try {
    return JSON.parse(await readFile(toFile(home, id), 'utf8')) as ShownPlan;
  } catch {
    // Not shown here, or long ago.
    return null;
  }
}

function toFile(home: Home, id: string): string {
  return path.join(home.cache, `${PREFIX}${path.basename(id)}.json`);
}

const PREFIX = 'plan-';
