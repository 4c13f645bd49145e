/** A dry run: the release is built and compared with what runs, and nothing is applied. */

import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { toPlan, type Plan } from '../plan/plan.ts';
import { toErrorReport } from '../protocol/messages.ts';
import { buildRelease } from '../release/build.ts';
import { toHome } from '../release/home.ts';
import { openHistory } from './history.ts';
import { readRelease } from './releases.ts';

export interface PlanRequest {
  readonly appDirectory: string;
  readonly ref: string;
  readonly isDirty: boolean;
}

/** Builds, plans, and removes the release again. Errors: those of the build. */
export async function planDeploy({ appDirectory, ref, isDirty }: PlanRequest): Promise<Plan> {
  const home = toHome(appDirectory);
  const { manifest, problems } = await buildRelease({ home, ref, isDirty, onStep: () => undefined });
  try {
    const history = existsSync(home.database) ? openHistory(home.database) : null;
    const id = history?.current() ?? null;
    const unswappable = history?.unswappable() ?? new Set<string>();
    history?.close();
    const current = id === null ? null : (await readRelease(home, id)).manifest;
    const policy = { path: 'auto', unswappable } as const;
    return toPlan({ current, next: manifest, problems: problems.map(toErrorReport), policy });
  } finally {
    await rm(path.join(home.releases, manifest.id), { recursive: true, force: true });
  }
}
