/** The first bad of a row of releases, by as few trials as halving takes. Knows nothing of how a release is tried. */

export const trialVerdicts = ['good', 'bad', 'untestable'] as const;
export type TrialVerdict = (typeof trialVerdicts)[number];

export interface Trial {
  readonly release: string;
  readonly verdict: TrialVerdict;
  /** What was seen. */
  readonly message: string;
}

export interface BisectOutcome {
  /** `found`: `firstBad` is it. `unsure`: it is one of `suspects`, as those between could not be tried. `none`: the release that was to be
   *  bad is good. `all`: the one that was to be good is bad already. */
  readonly result: 'found' | 'unsure' | 'none' | 'all';
  readonly lastGood: string | null;
  readonly firstBad: string | null;
  /** Those of which one is the first bad one, oldest first. */
  readonly suspects: readonly string[];
  /** In the order of the trials. */
  readonly trials: readonly Trial[];
}

/** `releases` is oldest first, and begins with the one that is supposed to be good and ends with the bad one; both are tried too. */
export async function bisect(
  releases: readonly string[],
  attempt: (release: string) => Promise<Omit<Trial, 'release'>>,
): Promise<BisectOutcome> {
  const trials: Trial[] = [];
  const verdictOf = async (index: number): Promise<TrialVerdict> => {
    const release = releases[index] ?? '';
    const trial = { release, ...(await attempt(release)) };
    trials.push(trial);
    return trial.verdict;
  };
  const last = releases.length - 1;
  const end = (result: 'none' | 'all', suspects: readonly string[]): BisectOutcome => ({
    result,
    lastGood: result === 'none' ? (releases[last] ?? null) : null,
    firstBad: null,
    suspects,
    trials,
  });
  if ((await verdictOf(last)) === 'good') return end('none', []);
  if (last === 0 || (await verdictOf(0)) === 'bad') return end('all', releases.slice(0, 1));
  const [good, bad] = await narrow(releases, verdictOf);
  const suspects = releases.slice(good + 1, bad + 1);
  const isFound =
    suspects.length === 1 &&
    trials.every(({ release, verdict }) => verdict !== 'untestable' || release !== suspects[0]);
  return {
    result: isFound ? 'found' : 'unsure',
    lastGood: releases[good] ?? null,
    firstBad: isFound ? (releases[bad] ?? null) : null,
    suspects,
    trials,
  };
}

/** Halves until nothing between the last good and the first bad one can be tried any more. */
async function narrow(
  releases: readonly string[],
  verdictOf: (index: number) => Promise<TrialVerdict>,
): Promise<readonly [good: number, bad: number]> {
  const untestable = new Set<number>();
  let [good, bad] = [0, releases.length - 1];
  for (;;) {
    const middle = (good + bad) / 2;
    const between = Array.from({ length: bad - good - 1 }, (_, index) => good + 1 + index);
    const open = between.filter((index) => !untestable.has(index));
    const [next] = open.toSorted((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
    if (next === undefined) return [good, bad];
    const verdict = await verdictOf(next);
    if (verdict === 'good') good = next;
    else if (verdict === 'bad') bad = next;
    else untestable.add(next);
  }
}
