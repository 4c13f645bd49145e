import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bisect, type BisectOutcome, type TrialVerdict } from '../../src/deploy/bisect-search.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);

async function search(count: number, verdictOf: (index: number) => TrialVerdict): Promise<BisectOutcome> {
  return bisect(names(count), async (release) => ({
    verdict: verdictOf(Number(release.slice(1))),
    message: '',
  }));
}

test('the first bad release is found wherever it is, by as many trials as halving takes', async () => {
  for (let count = 2; count <= 33; count++) {
    for (let first = 1; first < count; first++) {
      const found = await search(count, (index) => (index < first ? 'good' : 'bad'));
      assert.deepEqual(
        [found.result, found.firstBad, found.lastGood],
        ['found', `r${first}`, `r${first - 1}`],
      );
      assert.ok(
        found.trials.length <= 2 + Math.ceil(Math.log2(count)),
        `${found.trials.length} trials of ${count}`,
      );
    }
  }
});

test('no release is tried twice', async () => {
  const { trials } = await search(40, (index) =>
    index < 23 ? 'good' : index % 3 === 0 ? 'untestable' : 'bad',
  );
  assert.equal(new Set(trials.map(({ release }) => release)).size, trials.length);
});

test('a release that can not be tried is passed over', async () => {
  const found = await search(9, (index) => (index === 4 ? 'untestable' : index < 7 ? 'good' : 'bad'));
  assert.deepEqual([found.result, found.firstBad], ['found', 'r7']);
});

test('where those between can not be tried, all of them are under suspicion', async () => {
  const found = await search(6, (index) =>
    index === 2 || index === 3 ? 'untestable' : index < 2 ? 'good' : 'bad',
  );
  assert.deepEqual([found.result, found.firstBad, found.suspects], ['unsure', null, ['r2', 'r3', 'r4']]);
});

test('a bad end that is good, and a good end that is bad, are said', async () => {
  assert.equal((await search(5, () => 'good')).result, 'none');
  assert.deepEqual((await search(5, () => 'bad')).suspects, ['r0']);
  assert.equal((await search(5, () => 'bad')).result, 'all');
});
