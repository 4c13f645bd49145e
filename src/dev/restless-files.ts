/** Files that an app writes itself, such as its data: swapping because of them would never end. Code is never among them. */

/** So often within so long no one saves a template or a fixture by hand. */
const SWAPS_MAX = 5;
const PERIOD_MS = 15_000;

export interface RestlessFiles {
  has(path: string): boolean;
  /** Takes what a swap was made for; gives the files that are restless from now on. */
  noticeSwap(changed: readonly string[]): readonly string[];
}

export function createRestlessFiles(now: () => number = () => performance.now()): RestlessFiles {
  const swaps = new Map<string, readonly number[]>();
  const restless = new Set<string>();
  return {
    has: (path) => restless.has(path),
    noticeSwap(changed) {
      const found = changed.filter((path) => {
        if (isCode.test(path)) return false;
        const recent = [...(swaps.get(path) ?? []), now()].filter((at) => at > now() - PERIOD_MS);
        swaps.set(path, recent);
        return recent.length > SWAPS_MAX;
      });
      for (const path of found) restless.add(path);
      return found;
    },
  };
}

const isCode = /\.[cm]?[jt]sx?$/;
