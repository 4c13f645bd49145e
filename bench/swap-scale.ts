/** Claim: a swap takes as long as what changed is large, not as the app is. */

import { median, toTable, type Claim, type Row } from './report.ts';
import { runSwaps, type Shape, type SwapSample } from './swap-subject.ts';

const BASE_MODULES = 100;
const sizes = [10, 100, 1_000, 10_000];
const WARM_UPS = 5;
const SWAPS = 21;

const shapes: Readonly<Record<Shape, string>> = {
  tree: 'a leaf with few importers',
  star: 'a module that everything imports',
  'accepting star': 'the same, accepting itself',
};

export const claim: Claim = {
  title: 'Swap scale: how the size of an app tells on a swap',
  method:
    `A tree of TypeScript modules of about 40 lines, each of which imports ten others, from memory under \`createRuntime\`; one module is ` +
    `edited, and the swap is told which. A process of its own for each row; the median of ${SWAPS} swaps after ${WARM_UPS}. The whole ` +
    `is compiling, preparing and committing.`,
  versions: {},
  async measure(log) {
    const rows: Row[] = [];
    for (const shape of Object.keys(shapes) as Shape[]) rows.push(...(await measureShape(shape, log)));
    return toTable(rows);
  },
};

async function measureShape(shape: Shape, log: (line: string) => void): Promise<Row[]> {
  const results: { readonly modules: number; readonly samples: readonly SwapSample[] }[] = [];
  for (const modules of sizes) {
    const samples = await runSwaps({ shape, modules, edited: 1, warmUps: WARM_UPS, swaps: SWAPS });
    log(`${shape}, ${modules} modules: ${toWhole(samples).toFixed(1)} ms`);
    results.push({ modules, samples });
  }
  const base = toWhole(results.find(({ modules }) => modules === BASE_MODULES)?.samples ?? []);
  return results.map(({ modules, samples }) => ({
    edited: shapes[shape],
    modules,
    [`relative to ${BASE_MODULES}`]: `${(toWhole(samples) / base).toFixed(2)} ×`,
    'whole, ms': toWhole(samples).toFixed(2),
    'compile, ms': median(samples.map(({ compileMs }) => compileMs)).toFixed(2),
    'prepare, ms': median(samples.map(({ prepareMs }) => prepareMs)).toFixed(2),
    'commit, ms': median(samples.map(({ commitMs }) => commitMs)).toFixed(3),
    're-evaluated': samples[0]?.reevaluated ?? 0,
  }));
}

function toWhole(samples: readonly SwapSample[]): number {
  return median(samples.map(({ wholeMs }) => wholeMs));
}
