/** Claim: ten thousand swaps leave memory where it was. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { toTable, versionOf, type Claim, type Row } from './report.ts';

const SWAPS = 10_000;
const EVERY = 500;
const HEAP_MB = 128;
const STATE_BYTES = 100_000;
const MODULE_BYTES = 17_000;
/** What has not done all by then is stopped. Some wait a while at each save. */
const TIME_LIMIT_MS = 150_000;
const OWN_TIME_LIMIT_MS = 290_000;
/** Memory does not depend on what else runs. */
const LANES = 2;
const shown = [0, 500, 1_000, 2_000, 5_000, SWAPS];

const peers = fileURLToPath(new URL('node_modules', import.meta.url));
const runtime = pathToFileURL(
  fileURLToPath(new URL('../dist/deploy/create-runtime.js', import.meta.url)),
).href;

interface System {
  readonly name: string;
  /** Options of node. */
  readonly options?: readonly string[];
  /** A program that calls `measure` with what makes the saved file the code that runs, and gives its version. */
  readonly driver: string;
  readonly packageJson?: object;
}

const systems: readonly System[] = [
  {
    name: 'Midflight',
    driver: `import { createRuntime } from '${runtime}';
import { measure } from './measure.mjs';
const runtime = createRuntime({ root: import.meta.dirname, entry: 'app.js' });
await runtime.load();
await measure(async () => {
  const prepared = await runtime.prepare(['subject.js']);
  await prepared.commit();
  return globalThis.subjectVersion;
});
`,
  },
  {
    name: 'dynohot',
    options: ['--import', 'dynohot'],
    driver: `import { setImmediate as turn } from 'node:timers/promises';
import { measure } from './measure.mjs';
import { version } from './subject.js';
import.meta.hot.accept('./subject.js');
measure(async (wanted) => {
  while (version !== wanted) await turn();
  return version;
});
`,
  },
  {
    name: 'hot-hook',
    options: ['--import', 'hot-hook/register'],
    packageJson: { hotHook: { boundaries: ['./subject.js'], watch: false } },
    driver: `import path from 'node:path';
import { measure } from './measure.mjs';
await import('./subject.js');
await measure(async (wanted) => {
  process.emit('message', { type: 'hot-hook:file-changed', path: path.resolve('subject.js') });
  for (;;) {
    const { version } = await import('./subject.js');
    if (version === wanted) return version;
  }
});
`,
  },
  {
    name: 'Vite, module runner',
    driver: `import path from 'node:path';
import { createServer, createServerModuleRunner } from 'vite';
import { setImmediate as turn } from 'node:timers/promises';
import { measure } from './measure.mjs';
const vite = await createServer({
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, ws: false, watch: null },
});
const runner = createServerModuleRunner(vite.environments.ssr);
await runner.import('/subject.js');
await measure(async (wanted) => {
  vite.watcher.emit('change', path.resolve('subject.js'));
  for (;;) {
    const { version } = await runner.import('/subject.js');
    if (version === wanted) return version;
    await turn();
  }
});
`,
  },
  {
    name: 'import() of unique URLs',
    driver: `import { measure } from './measure.mjs';
await measure(async (wanted) => (await import('./subject.js?' + wanted)).version);
`,
  },
];

export const claim: Claim = {
  title: 'Swap memory: 10,000 swaps under a small heap',
  method:
    `A module of ${MODULE_BYTES / 1000} kB that makes ${STATE_BYTES / 1000} kB of state when it is evaluated, saved and swapped ${SWAPS} times in one process with ` +
    `\`--max-old-space-size=${HEAP_MB}\`; the heap that is in use after gc(), in MB. Kept by a swap is what it has grown by from swap ${EVERY}, or from ` +
    `the first for those that ended before, to the last. Watchers are left out where a change can be told otherwise (all but ` +
    `dynohot, which takes 100 ms for each). Stopped: after ${TIME_LIMIT_MS / 1000} s (${OWN_TIME_LIMIT_MS / 1000} s for Midflight).`,
  versions: Object.fromEntries(['dynohot', 'hot-hook', 'vite'].map((name) => [name, versionOf(name)])),
  async measure(log) {
    const runs = new Map<System, Run>();
    const queue = [...systems];
    const drive = async (): Promise<void> => {
      for (let system = queue.shift(); system !== undefined; system = queue.shift()) {
        const run = await measureSystem(system);
        runs.set(system, run);
        log(
          `${system.name}: ${run.end} at ${run.swaps} in ${run.seconds.toFixed(0)} s; ${toSeries(run).join(', ')}`,
        );
      }
    };
    await Promise.all(Array.from({ length: LANES }, drive));
    const rows = systems.flatMap((system) => {
      const run = runs.get(system);
      return run === undefined ? [] : [toRow(system.name, run)];
    });
    const [own] = systems.flatMap((system) => runs.get(system) ?? []);
    const series = own === undefined ? [] : toSeries(own);
    return `${toTable(rows)}\n\nMidflight, MB at each ${EVERY}: ${series.join(', ')}.`;
  },
};

function toSeries({ heapBytes }: Run): string[] {
  return [...heapBytes.values()].map((bytes) => (bytes / 1e6).toFixed(1));
}

interface Run {
  /** By the number of swaps done. */
  readonly heapBytes: Map<number, number>;
  swaps: number;
  end: string;
  seconds: number;
}

async function measureSystem(system: System): Promise<Run> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-memory-'));
  try {
    const files = {
      'package.json': JSON.stringify({ type: 'module', private: true, ...system.packageJson }),
      'app.js': `import { version } from './subject.js';\nglobalThis.subjectVersion = version;\n`,
      'measure.mjs': measureSource,
      'driver.js': system.driver,
      'subject.js': subjectTail,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
    symlinkSync(peers, path.join(directory, 'node_modules'));
    const limitMs = system === systems[0] ? OWN_TIME_LIMIT_MS : TIME_LIMIT_MS;
    return await follow(directory, { options: system.options ?? [], limitMs });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Following {
  readonly options: readonly string[];
  readonly limitMs: number;
}

async function follow(cwd: string, { options, limitMs }: Following): Promise<Run> {
  const startedAt = performance.now();
  const heap = `--max-old-space-size=${HEAP_MB}`;
  const child = spawn(process.execPath, [heap, '--expose-gc', ...options, 'driver.js'], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGTERM',
  });
  const run: Run = { heapBytes: new Map(), swaps: 0, end: '', seconds: 0 };
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-20_000)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [, swap, bytes] = /^swap (\d+)(?: heap (\d+))?$/.exec(line) ?? [];
    if (swap === undefined) return;
    run.swaps = Number(swap);
    if (bytes !== undefined) run.heapBytes.set(run.swaps, Number(bytes));
  });
  const [exitCode, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  run.seconds = (performance.now() - startedAt) / 1_000;
  if (exitCode === 0) run.end = 'done';
  else if (signal === 'SIGTERM') run.end = 'stopped';
  else if (/heap out of memory|heap limit|OOM/i.test(errors)) run.end = 'out of memory';
  else throw new Error(`A driver ended with ${exitCode ?? signal}:\n${errors}`);
  return run;
}

function toRow(name: string, { heapBytes, swaps, end }: Run): Row {
  const series = [...heapBytes];
  const from = series.find(([swap]) => swap === EVERY && swaps > EVERY * 2) ?? series[0];
  const last = series.at(-1);
  const growth =
    from === undefined || last === undefined || from === last
      ? ''
      : ((last[1] - from[1]) / (last[0] - from[0]) / 1_000).toFixed(2);
  const cells = shown.map((swap) => {
    const bytes = heapBytes.get(swap);
    return [`at ${swap}`, bytes === undefined ? '' : (bytes / 1e6).toFixed(1)];
  });
  return {
    '': name,
    'kept by a swap, kB': growth,
    end: end === 'done' ? `done, ${swaps}` : `${end} at ${swaps}`,
    ...Object.fromEntries(cells),
  };
}

const functionsText = (): string => {
  let text = '';
  for (let index = 0; text.length < MODULE_BYTES; index++) {
    text += `export function work${index}(input) {
  const parts = [];
  for (const [key, value] of Object.entries(input)) {
    if (typeof value === 'number') parts.push(key + '=' + (value * ${index + 1}).toFixed(2));
    else parts.push(key + ':' + String(value).toUpperCase());
  }
  return parts.join('&');
}
`;
  }
  return text;
};

/** What follows the version: functions, and state that only this version of the module holds. */
const subjectTail = `${functionsText()}
const state = Array.from({ length: ${STATE_BYTES / 8} }, (_, index) => index + 0.5);
export const sum = () => state.length + work0({ a: 1 }).length;
sum();
export const version = 0;
`;

const measureSource = `import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
const tail = readFileSync('subject.js', 'utf8');
export async function measure(swap) {
  await report(0);
  for (let index = 1; index <= ${SWAPS}; index++) {
    writeFileSync('subject.js', tail.replace('version = 0', 'version = ' + index));
    const version = await swap(index);
    if (version !== index) throw new Error('version ' + version + ' runs, not ' + index);
    if (index % ${EVERY} === 0) await report(index);
    else if (index % 10 === 0) writeSync(1, 'swap ' + index + '\\n');
  }
  process.exit(0);
}
async function report(index) {
  for (let round = 0; round < 3; round++) {
    await sleep(20);
    gc();
  }
  writeSync(1, 'swap ' + index + ' heap ' + process.memoryUsage().heapUsed + '\\n');
}
`;
