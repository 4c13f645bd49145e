/** Claim: a call from one module into another costs within 0.5 ns of what it costs in Node's own modules. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median, toTable, versionOf, type Claim, type Row } from './report.ts';

const MODULES = 300;
const CALLEES = 4;
const RUNS = 11;
/** For so long a process repeats; the fastest counts, since a neighbour on the machine can only make it slower. */
const REPEAT_MS = 500;
const GRAPH_ROUNDS = 1_000;
const LOOP_ROUNDS = 3_000_000;

const peers = fileURLToPath(new URL('node_modules', import.meta.url));
const commandLine = fileURLToPath(new URL('../bin/midflight.js', import.meta.url));

type Files = Readonly<Record<string, string>>;

interface Workload {
  readonly name: string;
  readonly files: Files;
}

interface System {
  readonly name: string;
  readonly args: readonly string[];
}

const systems: readonly System[] = [
  { name: 'Node', args: ['main.js'] },
  { name: 'Midflight', args: [commandLine, 'run', 'main.js'] },
  { name: 'dynohot', args: ['--import', 'dynohot', 'main.js'] },
  { name: 'Vite, module runner', args: ['vite.mjs'] },
];

export const claim: Claim = {
  title: 'Call cost: a call across modules, relative to Node’s own modules',
  method:
    `${MODULES} modules that call a function of each of ${CALLEES} others; the same in one cycle of imports; the same where each module accepts itself by \`import.meta.hot\`, so that its functions keep their identity over swaps; a loop over one imported function. ` +
    `Each run is a fresh process, the systems in turn; a run counts the fastest of all repetitions in ${REPEAT_MS} ms, the table has ` +
    ` the median of ${RUNS} runs. Midflight is \`midflight run\`.`,
  versions: { dynohot: versionOf('dynohot'), vite: versionOf('vite') },
  async measure(log) {
    const rows: Row[] = [];
    for (const workload of [
      { name: `${MODULES} modules`, files: toGraph('plain') },
      { name: `${MODULES} modules, in a cycle`, files: toGraph('cyclic') },
      { name: `${MODULES} modules, accepting themselves`, files: toGraph('accepting') },
      { name: 'a loop over one function', files: toLoop() },
    ])
      rows.push(...(await measureWorkload(workload, log)));
    return toTable(rows);
  },
};

async function measureWorkload({ name, files }: Workload, log: (line: string) => void): Promise<Row[]> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-calls-'));
  try {
    for (const [file, text] of Object.entries({ ...common, ...files }))
      writeFileSync(path.join(directory, file), text);
    symlinkSync(peers, path.join(directory, 'node_modules'));
    const runs = systems.map((): number[] => []);
    for (let run = 1; run <= RUNS; run++) {
      for (const [index, { args }] of systems.entries()) runs[index]?.push(await measureRun(directory, args));
      log(
        `${name}, run ${run}: ${systems.map((system, index) => `${system.name} ${runs[index]?.at(-1)?.toFixed(2)}`).join(', ')}`,
      );
    }
    return toRows(name, runs.map(median));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureRun(cwd: string, args: readonly string[]): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [...args], { cwd });
  const ns = /^ns (\S+)$/m.exec(stdout)?.[1];
  if (ns === undefined) throw new Error(`${args.join(' ')} printed no result:\n${stdout}`);
  return Number(ns);
}

function toRows(workload: string, medians: readonly number[]): Row[] {
  const base = medians[0] ?? Number.NaN;
  return systems.map(({ name }, index) => {
    const ns = medians[index] ?? Number.NaN;
    return {
      workload,
      '': name,
      'relative to Node': `${(ns / base).toFixed(2)} ×`,
      'ns a call': ns.toFixed(2),
      'difference, ns': `${ns < base ? '−' : '+'}${Math.abs(ns - base).toFixed(2)}`,
    };
  });
}

const common: Files = {
  'package.json': '{ "type": "module", "private": true }\n',
  'measure.js': `export function measure(calls, round) {
  let best = Infinity;
  const endsAt = performance.now() + ${REPEAT_MS};
  for (let startedAt = performance.now(); startedAt < endsAt; startedAt = performance.now()) {
    round();
    best = Math.min(best, performance.now() - startedAt);
  }
  console.log('ns ' + (best * 1e6) / calls);
}
`,
  'vite.mjs': `import { createServer, createServerModuleRunner } from 'vite';
const vite = await createServer({
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, ws: false, watch: null },
});
await createServerModuleRunner(vite.environments.ssr).import('/main.js');
process.exit(0);
`,
};

type GraphKind = 'plain' | 'cyclic' | 'accepting';

function toGraph(kind: GraphKind): Files {
  const calleesOf = (index: number): number[] =>
    Array.from({ length: Math.min(CALLEES, index) }, (_, nth) => (index * 7 + nth * 31) % index).filter(
      (callee, nth, all) => all.indexOf(callee) === nth,
    );
  const modules = Array.from({ length: MODULES }, (_, index) => toModule(index, calleesOf(index), kind));
  const calls = modules.reduce((sum, { calls: own }) => sum + own, 0) * GRAPH_ROUNDS;
  const imports = modules.map((_, index) => `import { run${index} } from './m${index}.js';`);
  const body = modules.map((_, index) => `    sum = (sum + run${index}(round)) | 0;`);
  return {
    ...Object.fromEntries(modules.map(({ text }, index) => [`m${index}.js`, text])),
    'main.js': `import { measure } from './measure.js';
${imports.join('\n')}
let sum = 0;
measure(${calls}, () => {
  for (let round = 0; round < ${GRAPH_ROUNDS}; round++) {
${body.join('\n')}
  }
});
`,
  };
}

function toModule(
  index: number,
  callees: readonly number[],
  kind: GraphKind,
): { readonly text: string; readonly calls: number } {
  const imports = callees.map((callee) => `import { step${callee} } from './m${callee}.js';`);
  const sum = callees.map((callee) => `step${callee}(value)`).join(' + ') || 'value';
  const toNext = kind === 'cyclic' ? `import './m${(index + 1) % MODULES}.js';\n` : '';
  const text = `${toNext}${imports.join('\n')}
let count = 0;
export function step${index}(value) {
  count = (count + value) | 0;
  return count ^ ${index};
}
export function run${index}(value) {
  return (${sum}) | 0;
}
${kind === 'accepting' ? 'import.meta.hot?.accept();\n' : ''}`;
  return { text, calls: callees.length + 1 };
}

function toLoop(): Files {
  return {
    'step.js': `export function step(value) {\n  return (Math.imul(value, 31) + 7) | 0;\n}\n`,
    'main.js': `import { measure } from './measure.js';
import { step } from './step.js';
let sum = 0;
measure(${LOOP_ROUNDS}, () => {
  let value = sum;
  for (let index = 0; index < ${LOOP_ROUNDS}; index++) value = step(value);
  sum = value;
});
`,
  };
}
