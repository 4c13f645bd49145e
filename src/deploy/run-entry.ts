/** `midflight run`: one entry under the runtime, in this process, with nothing around it. */

import { mkdir, rename, writeFile, mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Manifest } from '../protocol/manifest.ts';
import { compileModules } from '../release/compile-modules.ts';
import { createGenerations } from '../runtime/generations.ts';
import { createLocalListenerSource } from '../runtime/servers/listener-source.ts';

/** Compiles what the entry needs and evaluates it; the process then lives as long as the app does.
 *  Errors: those of compiling and linking; what the entry throws. */
export async function runEntry({
  root,
  entry,
}: {
  readonly root: string;
  readonly entry: string;
}): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'midflight-run-'));
  try {
    const { modules, problems } = await compileModules({
      root,
      entry,
      cacheDirectory: path.join(directory, 'cache'),
      writeCompiled: async (hash, code) => writeOnce(path.join(directory, `${hash}.js`), code),
    });
    if (problems[0] !== undefined) throw problems[0];
    const manifestFile = path.join(directory, 'manifest.json');
    await writeFile(manifestFile, JSON.stringify({ entry, modules, assets: {} } satisfies Partial<Manifest>));
    const generations = createGenerations({
      source: createLocalListenerSource(),
      onRolledBack: () => undefined,
    });
    await generations.prepare({
      release: { id: 'run', root, manifestFile, store: directory },
      generation: 1,
      ready: 'load',
      readyTimeoutMs: 0,
      health: null,
    });
    generations.commit(1, { provisional: false });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function writeOnce(file: string, code: string): Promise<void> {
  if (existsSync(file)) return;
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.tmp`, code);
  await rename(`${file}.tmp`, file);
}
