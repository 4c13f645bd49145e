/** Claim: a call of a plugin costs within 2 ns of a direct call; in a thread of its own, what a message there and back costs. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { median, toTable, type Claim, type Row } from './report.ts';

const RUNS = 11;
/** For so long a process repeats; the fastest counts, since a neighbour on the machine can only make it slower. */
const REPEAT_MS = 500;
const CALLS = 1_000_000;
const MESSAGES = 2_000;

const plugin = new URL('../dist/plugin.js', import.meta.url).href;

interface Way {
  readonly name: string;
  /** What it is compared with. */
  readonly base: string;
  /** Module code that says `call`, or `ask` for one that answers later. */
  readonly code: string;
}

const open = (options: string): string => `import { fn, openPlugin } from '${plugin}';
const plugin = await openPlugin(import.meta.dirname + '/step.js', { watch: false${options} });
`;

const ways: readonly Way[] = [
  { name: 'direct call', base: 'direct call', code: `import { step as call } from './step.js';` },
  {
    name: 'plugin, in-process',
    base: 'direct call',
    code: `${open('')}const call = plugin.lookup('step', fn());`,
  },
  {
    name: 'plain postMessage',
    base: 'plain postMessage',
    code: `import { Worker } from 'node:worker_threads';
const worker = new Worker(new URL('thread.js', import.meta.url));
const waiting = new Map();
let count = 0;
worker.on('message', ({ id, value }) => { waiting.get(id)(value); waiting.delete(id); });
const ask = (value) => new Promise((resolve) => { waiting.set(++count, resolve); worker.postMessage({ id: count, value }); });`,
  },
  {
    name: 'plugin, in a worker',
    base: 'plain postMessage',
    code: `${open(`, isolation: 'worker'`)}const ask = plugin.lookup('step', fn());`,
  },
];

const files = {
  'package.json': '{ "type": "module", "private": true }\n',
  'step.js': `export function step(value) {\n  return (Math.imul(value, 31) + 7) | 0;\n}\n`,
  'thread.js': `import { parentPort } from 'node:worker_threads';
import { step } from './step.js';
parentPort.on('message', ({ id, value }) => parentPort.postMessage({ id, value: step(value) }));
`,
};

const measure = `
let best = Infinity;
let value = 1;
for (const endsAt = performance.now() + ${REPEAT_MS}; performance.now() < endsAt; ) {
  const startedAt = performance.now();
  if (typeof ask === 'undefined') for (let index = 0; index < ${CALLS}; index++) value = call(value);
  else for (let index = 0; index < ${MESSAGES}; index++) value = await ask(value);
  best = Math.min(best, (performance.now() - startedAt) / (typeof ask === 'undefined' ? ${CALLS} : ${MESSAGES}));
}
console.log('ns ' + best * 1e6);
process.exit(0);
`;

export const claim: Claim = {
  title: 'Plugin call: what a call of a plugin costs, beside a direct call and a message',
  method:
    `A loop over one small function: of another module, looked up in a plugin of the same process, asked of a worker thread by \`postMessage\` and its answer, and looked up in a plugin with \`isolation: 'worker'\`, one call after the other. ` +
    `Each run is a fresh process, the ways in turn; a run counts the fastest of all repetitions in ${REPEAT_MS} ms, the table has the median of ${RUNS} runs.`,
  versions: {},
  async measure(log) {
    const directory = mkdtempSync(path.join(tmpdir(), 'midflight-plugin-call-'));
    try {
      for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
      for (const [index, { code }] of ways.entries())
        writeFileSync(path.join(directory, `way${index}.js`), code + measure);
      const runs = ways.map((): number[] => []);
      for (let run = 1; run <= RUNS; run++) {
        for (const index of ways.keys()) runs[index]?.push(await measureRun(directory, `way${index}.js`));
        log(
          `run ${run}: ${ways.map(({ name }, index) => `${name} ${runs[index]?.at(-1)?.toFixed(1)}`).join(', ')}`,
        );
      }
      return toTable(toRows(runs.map(median)));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

async function measureRun(cwd: string, file: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd });
  const ns = /^ns (\S+)$/m.exec(stdout)?.[1];
  if (ns === undefined) throw new Error(`${file} printed no result:\n${stdout}`);
  return Number(ns);
}

function toRows(medians: readonly number[]): Row[] {
  return ways.map(({ name, base }, index) => {
    const ns = medians[index] ?? Number.NaN;
    const baseNs = medians[ways.findIndex((way) => way.name === base)] ?? Number.NaN;
    return {
      '': name,
      'ns a call': ns.toFixed(1),
      'compared with': base,
      ratio: `${(ns / baseNs).toFixed(2)} ×`,
      'difference, ns': `${ns < baseNs ? '−' : '+'}${Math.abs(ns - baseNs).toFixed(1)}`,
    };
  });
}
