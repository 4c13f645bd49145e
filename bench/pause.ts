/** Claim: a commit blocks the event loop for less than a millisecond, however much has changed. */

import { median, toTable, type Claim, type Row } from './report.ts';
import { runSwaps } from './swap-subject.ts';

const MODULES = 1_001;
const counts = [1, 10, 100, 1_000];
const WARM_UPS = 3;
const SWAPS = 15;

export const claim: Claim = {
  title: 'Pause: how long a swap keeps everything else from running',
  method:
    `An app of ${MODULES} TypeScript modules of about 40 lines from memory under \`createRuntime\`; so many of them are edited at once. A block ` +
    `is the longest time in which the event loop did not turn. The median (and the longest) of ${SWAPS} swaps ` +
    `after ${WARM_UPS}. Under \`midflight start\` another process compiles, and only preparing and committing are the worker's.`,
  versions: {},
  async measure(log) {
    const rows: Row[] = [];
    for (const edited of counts) {
      const samples = await runSwaps({
        shape: 'tree',
        modules: MODULES,
        edited,
        warmUps: WARM_UPS,
        swaps: SWAPS,
      });
      const toCell = (values: readonly number[]): string =>
        `${median(values).toFixed(2)} (${Math.max(...values).toFixed(2)})`;
      rows.push({
        'modules edited': edited,
        'commit, longest block, ms': toCell(samples.map(({ commitBlockMs }) => commitBlockMs)),
        'after the commit, longest block, ms': toCell(samples.map(({ afterBlockMs }) => afterBlockMs)),
        'preparing, longest block, ms': toCell(samples.map(({ prepareBlockMs }) => prepareBlockMs)),
        'compiling, all, ms': toCell(samples.map(({ compileMs }) => compileMs)),
        'preparing, all, ms': toCell(samples.map(({ prepareMs }) => prepareMs)),
        're-evaluated': samples[0]?.reevaluated ?? 0,
      });
      log(JSON.stringify(rows.at(-1)));
    }
    return toTable(rows);
  },
};
