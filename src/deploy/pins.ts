/** Releases that somebody wants to stay: a file each, so that pins outlive the record. */

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MidflightError } from '../errors.ts';
import { explainDiskProblem } from '../release/disk-problem.ts';
import { toReleaseLocation, type Home } from '../release/home.ts';
import { takeBuildTurn } from '../release/store-turn.ts';
import { toOwnActor } from './actor.ts';
import { appendAudit } from './audit-log.ts';

/** Pins a release, or lets it go, and notes that in the audit log; returns all that are pinned then. A sweep that is about to remove it
 *  is waited for. Errors: ERR_MIDFLIGHT_RELEASE_UNKNOWN, ERR_MIDFLIGHT_STORE_LOCKED, those of the disk. */
export async function setPin(home: Home, id: string, pin: Pin): Promise<readonly string[]> {
  return takeBuildTurn(home, async () => {
    try {
      return set(home, id, pin);
    } catch (error) {
      throw explainDiskProblem(error, home.directory);
    }
  });
}

interface Pin {
  readonly isPinned: boolean;
}

function set(home: Home, id: string, { isPinned }: Pin): readonly string[] {
  const isName = id !== '' && path.basename(id) === id && !id.startsWith('.');
  const isThere = isName && (!isPinned || existsSync(toReleaseLocation(home, id).manifestFile));
  if (!isThere) throw new MidflightError('ERR_MIDFLIGHT_RELEASE_UNKNOWN', [id]);
  const file = path.join(home.pinned, id);
  if (!isPinned) rmSync(file, { force: true });
  else {
    mkdirSync(home.pinned, { recursive: true });
    writeFileSync(file, '');
  }
  const action = isPinned ? 'pin' : 'pin --remove';
  appendAudit(home.auditLog, { action, actor: toOwnActor('command'), release: id, result: 'done' });
  return listPins(home);
}

/** The ids of the pinned releases. */
export function listPins(home: Home): readonly string[] {
  return existsSync(home.pinned) ? readdirSync(home.pinned).toSorted() : [];
}
