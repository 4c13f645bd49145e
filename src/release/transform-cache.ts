/** Transformed files on disk, by source and settings: what was transformed once is not transformed again. */

import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  transformModule,
  TRANSFORM_VERSION,
  type TransformedModule,
  type TransformOptions,
} from './transform/transform.ts';

/** Transforms a file, or finds it transformed in `directory`.
 *  Errors: ERR_MIDFLIGHT_SYNTAX. */
export async function transformCached(
  directory: string,
  options: TransformOptions,
): Promise<TransformedModule> {
  const key = createHash('sha256')
    .update(JSON.stringify([TRANSFORM_VERSION, options]))
    .digest('hex');
  const file = path.join(directory, `${key}.json`);
  const cached = await readCached(file);
  if (cached !== null) return cached;
  const transformed = transformModule(options);
  await writeCached(directory, file, transformed);
  return transformed;
}

async function readCached(file: string): Promise<TransformedModule | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as TransformedModule;
  } catch {
    // Not there, or not whole: it is made again.
    return null;
  }
}

async function writeCached(directory: string, file: string, transformed: TransformedModule): Promise<void> {
  await mkdir(directory, { recursive: true });
  const staging = `${file}.${process.pid}.tmp`;
  await writeFile(staging, JSON.stringify(transformed));
  await rename(staging, file);
}
