/** Claim: a saved plugin answers within milliseconds, and ten thousand versions leave memory where it was. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { median, measureEach, type Claim, type Result } from './report.ts';

/** Between an answer and the next save. */
const PAUSE_MS = 10;
const MODULE_BYTES = 17_000;
/** V8 lets go of compiled code that nobody has any more only when it comes near to its limit, which it takes from the machine. */
const HEAP_MB = 128;

const plugin = new URL('../dist/plugin.js', import.meta.url).href;

interface System {
  readonly name: string;
  /** Module code that says `ask`: the version that answers now, as a promise; and `take`, where somebody has to say that it was saved. */
  readonly code: string;
}

const systems: readonly System[] = [
  {
    name: 'Midflight, openPlugin',
    code: `import { fn, openPlugin } from '${plugin}';
const plugin = await openPlugin(file, { probationMs: 100 });
const ask = plugin.lookup('version', fn());`,
  },
  {
    name: 'Midflight, watchPlugins',
    code: `import { fn, watchPlugins } from '${plugin}';
const plugins = await watchPlugins(folder, { version: fn() }, { probationMs: 100 });
const ask = plugins.get('subject').exports.version;`,
  },
  {
    name: 'Midflight, in a worker',
    code: `import { fn, openPlugin } from '${plugin}';
const plugin = await openPlugin(file, { isolation: 'worker', probationMs: 100 });
const ask = plugin.lookup('version', fn());`,
  },
  {
    name: 'import() with unique URLs',
    code: `import { watch } from 'node:fs';
let count = 0;
let current = await import(file);
watch(folder, async () => {
  try { current = await import(file + '?' + ++count); } catch {}
});
const ask = () => current.version();`,
  },
  {
    name: 'a subprocess, as go-plugin has it',
    code: `import { fork } from 'node:child_process';
import { watch } from 'node:fs';
const start = () => new Promise((resolve, reject) => {
  const child = fork(folder + '/../subprocess.mjs', [file]);
  child.once('message', () => resolve(child));
  child.once('exit', reject);
});
let current = await start();
let starting = null;
let again = false;
watch(folder, async () => {
  if (starting !== null) { again = true; return; }
  do {
    again = false;
    try {
      starting = start();
      const next = await starting;
      current.kill();
      current = next;
    } catch {}
  } while (again);
  starting = null;
});
const ask = () => new Promise((resolve) => {
  const child = current;
  const timer = setTimeout(resolve, 50);
  child.once('message', (value) => { clearTimeout(timer); resolve(value); });
  child.send('version', () => {});
});`,
  },
];

const subject = (version: number): string =>
  `const filler = ${JSON.stringify('x'.repeat(MODULE_BYTES))};\nexport function version() {\n  return filler.length - ${MODULE_BYTES} + ${version};\n}\n`;

const driver = (code: string, swaps: number): string => `
import { writeFileSync } from 'node:fs';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
const folder = import.meta.dirname + '/plugins';
const file = folder + '/subject.js';
${code}
const filler = ${JSON.stringify(subject(0))};
const report = (count, times) => {
  for (let each = 0; each < 4; each++) globalThis.gc();
  const { heapUsed, rss } = process.memoryUsage();
  console.log(JSON.stringify({ count, times, heapMb: heapUsed / 1e6, rssMb: rss / 1e6 }));
};
const times = [];
report(0, times);
for (let count = 1; count <= ${swaps}; count++) {
  writeFileSync(file, filler.replace(/\\+ \\d+;/, '+ ' + count + ';'));
  const savedAt = performance.now();
  while ((await ask()) !== count) await turn();
  if (count <= 200) times.push(performance.now() - savedAt);
  if (count === Math.min(200, ${swaps}) || count === ${swaps}) { await sleep(300); report(count, times); }
  await sleep(count < 200 ? ${PAUSE_MS} : 0);
}
process.exit(0);
`;

const subprocess = `const { version } = await import(process.argv[2]);
process.on('message', () => process.send(version()));
process.send('ready');
`;

interface Report {
  readonly count: number;
  readonly times: readonly number[];
  readonly heapMb: number;
  readonly rssMb: number;
}

export const claim: Claim = {
  title: 'Plugin swap: from the saved file to the answer of the new version, and what ten thousand leave',
  method:
    `A module of ${MODULE_BYTES / 1_000} KB is written over and over; who calls it asks again and again until the new version answers. The time is the median of the first 200 saves, ${PAUSE_MS} ms apart. ` +
    `Memory is that of the host, with \`--max-old-space-size=${HEAP_MB}\`, after collections, at the start and after so many versions; that of a subprocess is not counted, and \`import()\` does not come to 10,000 within that heap. ` +
    `A plugin of Go's \`plugin\` package can't be loaded a second time, nor unloaded.`,
  versions: {},
  sizes: { swaps: 10_000, otherSwaps: 300 },
  smokeSizes: { swaps: 20, otherSwaps: 5 },
  systems: systems.map(({ name }) => name),
  async measure(log, run) {
    return measureEach(systems, { run, log }, async ({ name, code }) => {
      const { swaps = 0, otherSwaps = 0 } = run.sizes;
      const isOther = name.includes('subprocess') || name.includes('worker');
      return measureSystem(code, isOther ? otherSwaps : swaps);
    });
  },
};

async function measureSystem(code: string, swaps: number): Promise<Omit<Result, 'system'>> {
  const directory = mkdtempSync(path.join(tmpdir(), 'midflight-plugin-swap-'));
  try {
    mkdirSync(path.join(directory, 'plugins'));
    writeFileSync(path.join(directory, 'package.json'), '{ "type": "module", "private": true }\n');
    writeFileSync(path.join(directory, 'plugins/subject.js'), subject(0));
    writeFileSync(path.join(directory, 'subprocess.mjs'), subprocess);
    writeFileSync(path.join(directory, 'driver.mjs'), driver(code, swaps));
    const child = spawn(process.execPath, ['--expose-gc', `--max-old-space-size=${HEAP_MB}`, 'driver.mjs'], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const reports: Report[] = [];
    createInterface(child.stdout).on('line', (line) => reports.push(JSON.parse(line) as Report));
    await once(child, 'close');
    const [start, first, last = first] = reports;
    if (start === undefined || first === undefined || last?.count !== swaps)
      throw new Error(`it ended after ${last?.count ?? 0} versions`);
    return {
      row: {
        'saved → answered': `${median(first.times).toFixed(1)} ms`,
        versions: last.count,
        'heap, MB': `${start.heapMb.toFixed(1)} → ${last.heapMb.toFixed(1)}`,
        'resident, MB': `${start.rssMb.toFixed(0)} → ${last.rssMb.toFixed(0)}`,
      },
      detail: { reports: reports.map(({ count, heapMb, rssMb }) => ({ count, heapMb, rssMb })) },
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
