/**
 * Which files are made by builds, told by when they were written: news of them may come long after that.
 *
 * Invariants:
 * 1. What is written during the first build that succeeds, or one before it, is made by builds.
 * 2. So is what is written during several builds in a row, until it is written outside of one: somebody may save a file once while
 *    a build runs, and is heard.
 */

import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Nobody saves the same file during so many builds that each begin because of the save before. */
const BUILDS_IN_A_ROW = 3;

export interface BuiltFiles {
  begin(): void;
  end(hasSucceeded: boolean): void;
  /** Takes news of a file, and says whether it is made by builds. */
  isBuilt(at: string): boolean;
}

interface Build {
  readonly index: number;
  readonly startedAtMs: number;
  endedAtMs: number;
  /** None has succeeded before it. */
  readonly isFirst: boolean;
}

/** Later news than of so many builds ago are of nobody's. */
const BUILDS_MAX = 10;

/** No build has run yet. */
export function createBuiltFiles(root: string): BuiltFiles {
  const builds: Build[] = [];
  const made = new Set<string>();
  const rows = new Map<string, { readonly last: number; readonly count: number }>();
  let index = 0;
  let hasSucceeded = false;

  function isMadeInRow(at: string, build: Build | undefined): boolean {
    const row = rows.get(at);
    if (build === undefined) {
      rows.delete(at);
      return false;
    }
    const count = row?.last === build.index ? row.count : row?.last === build.index - 1 ? row.count + 1 : 1;
    rows.set(at, { last: build.index, count });
    return count >= BUILDS_IN_A_ROW;
  }

  return {
    begin() {
      builds.push({
        index: ++index,
        startedAtMs: fileTimeMs(root),
        endedAtMs: Infinity,
        isFirst: !hasSucceeded,
      });
      if (builds.length > BUILDS_MAX) builds.shift();
    },
    end(isSuccess) {
      const build = builds.at(-1);
      if (build !== undefined) build.endedAtMs = fileTimeMs(root);
      hasSucceeded ||= isSuccess;
    },
    isBuilt(at) {
      const changedMs = changedAtMs(root, at);
      const build = builds.findLast(
        ({ startedAtMs, endedAtMs }) => startedAtMs <= changedMs && changedMs <= endedAtMs,
      );
      if (build?.isFirst === true) made.add(at);
      return made.has(at) || isMadeInRow(at, build);
    },
  };
}

/** By the clock that files get their times from: it is a tick behind that of the process, or another machine's. */
function fileTimeMs(root: string): number {
  const file = path.join(root, '.midflight', 'build-time');
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
    return statSync(file).ctimeMs;
  } catch {
    // Nothing can be written there: the clocks are the same most of the time.
    return Date.now();
  }
}

/** Not when it was modified: some tools set that. What is gone went when its directory was changed last. */
function changedAtMs(root: string, at: string): number {
  for (let file = path.join(root, at); ; file = path.dirname(file)) {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats !== undefined || file === path.dirname(file)) return stats?.ctimeMs ?? 0;
  }
}
